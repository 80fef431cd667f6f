// SPDX-License-Identifier: Apache-2.0

//! One module for each call (and for each kind of order), one for the examples of the rules, and
//! one for hostile sequences.

mod authorize;
mod claim;
mod clock;
mod config;
mod create_stream;
mod deposit;
mod end_stream;
mod examples;
mod genesis;
mod grant;
mod hostile;
mod invariants;
mod revoke;
mod settle;
mod submit_close;
mod submit_fund;
mod submit_open;
mod submit_tick;
mod update_stream;
mod withdraw;
