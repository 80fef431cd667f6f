//! Who may stop new money at once, without the power to do anything else.

use crate::*;
use frame_support::{parameter_types, traits::SortedMembers};

parameter_types! {
	/// The account that may, beside root: nobody until root writes one here with `system.set_storage`. It
	/// can be a hot key of whoever is on duty: the worst that a thief does with it is a stop that root ends.
	pub storage Guardian: Option<AccountId> = None;
}

/// `Guardian`, as a list of members.
pub struct Guardians;

impl SortedMembers<AccountId> for Guardians {
	fn sorted_members() -> Vec<AccountId> {
		Guardian::get().into_iter().collect()
	}
}
