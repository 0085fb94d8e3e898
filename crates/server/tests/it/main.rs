//! Tests of the whole program, and of the house it is built in.

#![cfg(test)]

mod books;
mod commerce_refusals;
mod contracts;
mod house;
mod installation;
mod kills;
mod orders;
mod paging;
mod program;
mod rated_files;
mod real_files;
mod sweeping;
mod unknown;
