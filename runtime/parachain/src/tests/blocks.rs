//! Blocks of a parachain, with what their collators say of the relay chain.

use super::{audience::BEGIN_MS, *};
use codec::Encode;
use cumulus_pallet_parachain_system::{parachain_inherent::*, Call};
use cumulus_primitives_core::{relay_chain, PersistedValidationData};
use cumulus_test_relay_sproof_builder::RelayStateSproofBuilder;
use sp_runtime::{
	generic::{Digest, DigestItem, Era},
	traits::{Hash as _, Header as _},
	transaction_validity::{InvalidTransaction, TransactionValidityError},
};

/// What a made-up head of this chain holds.
fn head(number: BlockNumber) -> Vec<u8> {
	number.encode()
}

/// Begin the block of a second.
pub(super) fn begin(second: u64) {
	let now = BEGIN_MS + second * 1_000;
	let number = System::block_number() + 1;
	let slot = sp_consensus_aura::Slot::from(now / SLOT_DURATION_MS);
	let item = DigestItem::PreRuntime(sp_consensus_aura::AURA_ENGINE_ID, slot.encode());
	let header = Header::new(
		number,
		Hash::default(),
		Hash::default(),
		BlakeTwo256::hash(&head(number - 1)),
		Digest { logs: vec![item] },
	);
	Executive::initialize_block(&header);
	let data = relay_chain_says(number, now);
	let inbound_messages_data = InboundMessagesData::new(Default::default(), Default::default());
	let validation = Call::set_validation_data { data, inbound_messages_data };
	apply(RuntimeCall::ParachainSystem(validation));
	apply(RuntimeCall::Timestamp(pallet_timestamp::Call::set { now }));
}

/// The relay chain has included all blocks of this one but the one that begins.
fn relay_chain_says(number: BlockNumber, now: u64) -> BasicParachainInherentData {
	let state = RelayStateSproofBuilder {
		para_id: ParachainInfo::parachain_id(),
		included_para_head: Some(relay_chain::HeadData(head(number - 1))),
		current_slot: (now / u64::from(RELAY_SLOT_DURATION_MS)).into(),
		..Default::default()
	};
	let (relay_parent_storage_root, relay_chain_state) = state.into_state_root_and_proof();
	BasicParachainInherentData {
		validation_data: PersistedValidationData {
			parent_head: relay_chain::HeadData(head(number - 1)),
			relay_parent_number: number,
			relay_parent_storage_root,
			max_pov_size: relay_chain::MAX_POV_SIZE,
		},
		relay_chain_state,
		relay_parent_descendants: Vec::new(),
		collator_peer_id: None,
	}
}

fn apply(inherent: RuntimeCall) {
	Executive::apply_extrinsic(UncheckedExtrinsic::new_bare(inherent)).unwrap().unwrap();
}

/// The pool sees what a finished block has left.
pub(super) fn finish() {
	Executive::finalize_block();
}

fn extension() -> TxExtension {
	TxExtension::new((
		frame_system::AuthorizeCall::new(),
		frame_system::CheckNonZeroSender::new(),
		frame_system::CheckSpecVersion::new(),
		frame_system::CheckTxVersion::new(),
		frame_system::CheckGenesis::new(),
		frame_system::CheckMortality::from(Era::Immortal),
		frame_system::CheckNonce::from(0),
		frame_system::CheckWeight::new(),
		pallet_transaction_payment::ChargeTransactionPayment::from(0),
		frame_metadata_hash_extension::CheckMetadataHash::new(false),
	))
}

/// Apply an order as a block's author does. `false` where the block has no room for it.
pub(super) fn applied(call: &RuntimeCall) -> bool {
	let extrinsic = UncheckedExtrinsic::new_transaction(call.clone(), extension());
	match Executive::apply_extrinsic(extrinsic) {
		Ok(done) => done.map(|()| true).expect("what is valid does not fail"),
		Err(TransactionValidityError::Invalid(InvalidTransaction::ExhaustsResources)) => false,
		Err(invalid) => panic!("the ledger takes it: {invalid:?}"),
	}
}
