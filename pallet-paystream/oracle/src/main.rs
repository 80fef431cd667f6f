// SPDX-License-Identifier: Apache-2.0

//! A line in, a line out.
//!
//! `{"reset": true}` begins the ledger anew and answers with what is not in its constants; any other
//! line is a list of calls (see `call`), answered by the list of what came of each.

use ::serde::Deserialize;
use frame::testing_prelude::*;
use paystream_oracle::{call::Request, runtime::PayStream, Oracle};
use std::io::{stdin, stdout, BufRead as _, Write as _};

#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
	Reset { reset: bool },
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
	<PayStream as Hooks<u64>>::integrity_test();
	let mut oracle = Oracle::default();
	let mut out = String::new();
	for line in stdin().lock().lines() {
		let line = line?;
		out.clear();
		if line.starts_with('[') {
			oracle.run(serde_json::from_str::<Vec<Request>>(&line)?, &mut out);
		} else {
			let Line::Reset { reset } = serde_json::from_str(&line)?;
			if reset {
				oracle = Oracle::default();
			}
			out.push_str(&format!("{{\"pot\":{}}}", PayStream::pot()));
		}
		out.push('\n');
		stdout().write_all(out.as_bytes())?;
		stdout().flush()?;
	}
	Ok(())
}
