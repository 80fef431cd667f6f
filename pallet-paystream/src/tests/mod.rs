// SPDX-License-Identifier: Apache-2.0

//! One module for each call (and for each kind of order), one for the examples of the rules, and
//! one for hostile sequences.

mod authorize;
mod cancel_subscription;
mod charge;
mod claim;
mod clock;
mod config;
mod create_stream;
mod deposit;
mod disable_asset;
mod enable_asset;
mod end_stream;
mod errors;
mod examples;
mod genesis;
mod grant;
mod halt;
mod hostile;
mod invariants;
mod lookup;
mod migrations;
mod pool;
mod refund;
pub(crate) mod rental;
mod revoke;
mod seller;
mod set_stopped;
mod set_tick_price;
mod set_tiers;
mod set_treasury_share;
mod settle;
mod settle_subscription;
mod submit_batch;
mod submit_close;
mod submit_fund;
mod submit_open;
mod submit_renew;
mod submit_tick;
mod submit_tip;
mod subscribe;
mod tip;
mod token;
mod transfer_stream;
mod update_stream;
mod view;
mod withdraw;
mod write_off_asset;
