//! Tests of the whole program, and of the house it is built in.

#![cfg(test)]

mod amendments;
mod audit;
mod backups;
mod beside;
mod books;
mod commerce_refusals;
mod configuration;
mod contracts;
mod events;
mod example_company;
mod exports;
mod house;
mod in_process;
mod installation;
mod issuers;
mod kills;
mod logs;
mod metrics;
mod names;
mod orders;
mod paging;
mod program;
mod quarantine;
mod rated_files;
mod real_files;
mod refusals;
mod slow_clients;
mod sweeping;
mod tokens;
mod unknown;
