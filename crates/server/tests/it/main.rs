//! Tests of the whole program, and of the house it is built in.

#![cfg(test)]

mod amendments;
mod audit;
mod audited;
mod backups;
mod beside;
mod books;
mod command_line;
mod commerce_refusals;
mod configuration;
mod contracts;
mod events;
mod example_company;
mod exports;
mod house;
mod imports;
mod in_process;
mod installation;
mod issuers;
mod keys;
mod kills;
mod logs;
mod metrics;
mod names;
mod orders;
mod paging;
mod pinned;
mod program;
mod quantities;
mod quarantine;
mod rated_files;
mod real_files;
mod refusals;
mod roles;
mod slow_clients;
mod sweeping;
mod tokens;
mod unknown;
mod watermarks;
