// SPDX-License-Identifier: Apache-2.0

//! Delegate keys, derived from small numbers. The odd ones are sr25519, the even ones ed25519.

use frame::deps::sp_core::{ed25519, sr25519, Pair as _};
use pallet_paystream::{DelegateKey, DelegateSignature};
use std::collections::HashMap;

/// How many keys there are: they are numbered from 1.
pub const KEYS: u8 = 6;

enum Pair {
	Sr25519(Box<sr25519::Pair>),
	Ed25519(Box<ed25519::Pair>),
}

impl Pair {
	fn new(number: u8) -> Self {
		let seed = [number; 32];
		if number % 2 == 1 {
			Self::Sr25519(Box::new(sr25519::Pair::from_seed(&seed)))
		} else {
			Self::Ed25519(Box::new(ed25519::Pair::from_seed(&seed)))
		}
	}

	fn key(&self) -> DelegateKey {
		match self {
			Self::Sr25519(pair) => DelegateKey::Sr25519(pair.public().0),
			Self::Ed25519(pair) => DelegateKey::Ed25519(pair.public().0),
		}
	}

	fn sign(&self, message: &[u8]) -> DelegateSignature {
		match self {
			Self::Sr25519(pair) => DelegateSignature::Sr25519(pair.sign(message).0),
			Self::Ed25519(pair) => DelegateSignature::Ed25519(pair.sign(message).0),
		}
	}
}

/// All keys, and what they have signed: an order that is sent again bears the same signature.
pub struct Keyring {
	pairs: Vec<Pair>,
	signed: HashMap<(u8, Vec<u8>), DelegateSignature>,
}

impl Default for Keyring {
	fn default() -> Self {
		Self { pairs: (1..=KEYS).map(Pair::new).collect(), signed: HashMap::new() }
	}
}

impl Keyring {
	/// The public key of a number; of a strange one, the first.
	pub fn key(&self, number: u8) -> DelegateKey {
		self.pair(number).key()
	}

	/// The number of a public key, 0 if it is none of ours.
	pub fn number(&self, key: &DelegateKey) -> u8 {
		let place = self.pairs.iter().position(|pair| pair.key() == *key);
		place.map_or(0, |place| place as u8 + 1)
	}

	/// A signature of a message; by nobody, it is the first key's of something else.
	pub fn sign(&mut self, signer: Option<u8>, mut message: Vec<u8>) -> DelegateSignature {
		if signer.is_none() {
			message.push(0);
		}
		let number = signer.unwrap_or(1);
		if let Some(signature) = self.signed.get(&(number, message.clone())) {
			return *signature;
		}
		let signature = self.pair(number).sign(&message);
		self.signed.insert((number, message), signature);
		signature
	}

	fn pair(&self, number: u8) -> &Pair {
		let place = usize::from(number).saturating_sub(1);
		self.pairs.get(place).unwrap_or(&self.pairs[0])
	}
}
