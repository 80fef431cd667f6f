// SPDX-License-Identifier: Apache-2.0

//! Values as JSON, with money as whole numbers: `serde_json::Value` has none of 128 bits.

use crate::{keys::Keyring, runtime::Kind};
use frame::prelude::*;
use pallet_paystream::{AssetStatus, CloseReason, DelegateKey, Payee, StreamStatus, Tier};
use std::fmt::Write as _;

/// What can be written.
pub trait Plain {
	/// Append the value.
	fn write(&self, keys: &Keyring, out: &mut String);
}

macro_rules! as_displayed {
	($($kind:ty),*) => {$(
		impl Plain for $kind {
			fn write(&self, _keys: &Keyring, out: &mut String) {
				write!(out, "{self}").expect("a string takes everything");
			}
		}
	)*};
}
as_displayed!(bool, u8, u32, u64, u128);

macro_rules! as_named {
	($($kind:ty),*) => {$(
		impl Plain for $kind {
			fn write(&self, _keys: &Keyring, out: &mut String) {
				write!(out, "\"{self:?}\"").expect("a string takes everything");
			}
		}
	)*};
}
as_named!(AssetStatus, CloseReason, StreamStatus);

impl Plain for str {
	fn write(&self, _keys: &Keyring, out: &mut String) {
		out.push_str(&serde_json::to_string(self).expect("a string is JSON"));
	}
}

impl Plain for Kind {
	fn write(&self, keys: &Keyring, out: &mut String) {
		match self {
			Self::Native => out.push_str("null"),
			Self::WithId(id) => id.write(keys, out),
		}
	}
}

impl Plain for Permill {
	fn write(&self, keys: &Keyring, out: &mut String) {
		self.deconstruct().write(keys, out);
	}
}

impl Plain for DelegateKey {
	fn write(&self, keys: &Keyring, out: &mut String) {
		keys.number(self).write(keys, out);
	}
}

impl Plain for Payee<u64> {
	fn write(&self, keys: &Keyring, out: &mut String) {
		crate::object!(keys, out, account: self.account, share: self.share);
	}
}

impl Plain for Tier<u128> {
	fn write(&self, keys: &Keyring, out: &mut String) {
		let Self { price, period_ms, discount } = self;
		crate::object!(keys, out, price: price, period_ms: period_ms, discount: discount);
	}
}

impl<T: Plain + ?Sized> Plain for &T {
	fn write(&self, keys: &Keyring, out: &mut String) {
		(**self).write(keys, out);
	}
}

impl<T: Plain> Plain for Option<T> {
	fn write(&self, keys: &Keyring, out: &mut String) {
		match self {
			None => out.push_str("null"),
			Some(value) => value.write(keys, out),
		}
	}
}

impl<T: Plain> Plain for [T] {
	fn write(&self, keys: &Keyring, out: &mut String) {
		out.push('[');
		for (place, value) in self.iter().enumerate() {
			if place > 0 {
				out.push(',');
			}
			value.write(keys, out);
		}
		out.push(']');
	}
}

impl<T: Plain, N: Get<u32>> Plain for BoundedVec<T, N> {
	fn write(&self, keys: &Keyring, out: &mut String) {
		self.as_slice().write(keys, out);
	}
}

/// Append an object with the named values.
#[macro_export]
macro_rules! object {
	($keys:expr, $out:expr, $first:ident: $value:expr $(, $name:ident: $next:expr)* $(,)?) => {{
		$out.push_str(concat!("{\"", stringify!($first), "\":"));
		$crate::plain::Plain::write(&$value, $keys, $out);
		$(
			$out.push_str(concat!(",\"", stringify!($name), "\":"));
			$crate::plain::Plain::write(&$next, $keys, $out);
		)*
		$out.push('}');
	}};
}
