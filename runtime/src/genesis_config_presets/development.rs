//! Who has which money when a development chain begins, whatever writes its blocks.

use crate::{configs::AssetKind, constants::UNIT, *};
use alloc::vec;
use sp_keyring::Sr25519Keyring;

/// What each of the well-known development accounts has at the beginning.
pub const DEV_ENDOWMENT: Balance = 1_000_000 * UNIT;

/// The stablecoin of the development chains: its number, its decimals, and its least balance.
pub const DEV_STABLECOIN: u32 = 1984;
const DEV_STABLECOIN_DECIMALS: u8 = 6;
const DEV_STABLECOIN_UNIT: Balance = 1_000_000;
const DEV_STABLECOIN_MIN: Balance = DEV_STABLECOIN_UNIT / 100;

/// The native token of all well-known development accounts.
pub(super) fn balances() -> Vec<(AccountId, Balance)> {
	Sr25519Keyring::well_known().map(|key| (key.to_account_id(), DEV_ENDOWMENT)).collect()
}

/// The stablecoin that `issuer` has made and everybody has.
pub(super) fn assets(issuer: AccountId) -> AssetsConfig {
	AssetsConfig {
		assets: vec![(DEV_STABLECOIN, issuer, true, DEV_STABLECOIN_MIN)],
		metadata: vec![(
			DEV_STABLECOIN,
			b"Development Dollar".to_vec(),
			b"USD".to_vec(),
			DEV_STABLECOIN_DECIMALS,
		)],
		accounts: Sr25519Keyring::well_known()
			.map(|key| (DEV_STABLECOIN, key.to_account_id(), 1_000_000 * DEV_STABLECOIN_UNIT))
			.collect(),
		..Default::default()
	}
}

/// The assets that streams can be paid in.
pub(super) fn enabled_assets() -> Vec<AssetKind> {
	vec![AssetKind::Native, AssetKind::WithId(DEV_STABLECOIN)]
}
