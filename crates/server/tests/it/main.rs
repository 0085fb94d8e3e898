//! Tests of the whole program, and of the house it is built in.

#![cfg(test)]

mod amendments;
mod audit;
mod books;
mod commerce_refusals;
mod contracts;
mod events;
mod example_company;
mod exports;
mod house;
mod in_process;
mod installation;
mod issuers;
mod kills;
mod orders;
mod paging;
mod program;
mod quarantine;
mod rated_files;
mod real_files;
mod sweeping;
mod unknown;
