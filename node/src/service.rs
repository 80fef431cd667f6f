//! Puts the node together: database, pool, network, block production and finality.

use crate::client::{FullClient, FullExecutor};
use paystream_runtime::{apis::RuntimeApi, opaque::Block};
use polkadot_sdk::*;
use sc_client_api::BlockBackend;
use sc_consensus_aura::{ImportQueueParams, SlotProportion, StartAuraParams};
use sc_consensus_grandpa::{
	GrandpaBlockImport, GrandpaParams, LinkHalf, SharedVoterState,
	ThreeQuartersOfTheUnfinalizedChain, VotingRulesBuilder,
};
use sc_executor::{HeapAllocStrategy, DEFAULT_HEAP_ALLOC_STRATEGY};
use sc_network::{
	config::{FullNetworkConfiguration, Role},
	service::{traits::NetworkService, NotificationMetrics},
	NetworkBackend, NotificationService, ProtocolName,
};
use sc_network_sync::SyncingService;
use sc_service::{
	error::Error as ServiceError, ChainType, Configuration, TaskManager, WarpSyncConfig,
};
use sc_telemetry::{Telemetry, TelemetryHandle, TelemetryWorker};
use sc_transaction_pool::TransactionPoolHandle;
use sc_transaction_pool_api::OffchainTransactionPoolFactory;
use sp_consensus_aura::{
	inherents::InherentDataProvider as SlotProvider,
	sr25519::{AuthorityId as AuraId, AuthorityPair as AuraPair},
	SlotDuration,
};
use sp_keystore::KeystorePtr;
use sp_runtime::{traits::Block as BlockT, SaturatedConversion};
use sp_timestamp::InherentDataProvider as TimestampProvider;
use std::{env, path::PathBuf, sync::Arc, time::Duration};
use substrate_prometheus_endpoint::Registry;

type FullBackend = sc_service::TFullBackend<Block>;
type FullSelectChain = sc_consensus::LongestChain<FullBackend, Block>;
type FullPool = TransactionPoolHandle<Block, FullClient>;
type FullBlockImport = GrandpaBlockImport<FullBackend, Block, FullClient, FullSelectChain>;
type FullGrandpaLink = LinkHalf<Block, FullClient, FullSelectChain>;

/// What both a running node and a command on its database need.
pub type Partial = sc_service::PartialComponents<
	FullClient,
	FullBackend,
	FullSelectChain,
	sc_consensus::DefaultImportQueue<Block>,
	FullPool,
	(FullBlockImport, FullGrandpaLink, Option<Telemetry>),
>;

/// Blocks after which a proof of finality is kept at the latest, for light clients and warp sync.
///
/// A minute of two-second blocks; finality itself does not wait for it.
const JUSTIFICATION_PERIOD: u32 = 30;

/// How long a GRANDPA message may take through the network. A round takes about four times this.
const GOSSIP_DURATION: Duration = Duration::from_millis(333);

/// Share of a slot in which a block is filled; the rest is for its way to the others.
const PROPOSAL_SLOT_PORTION: f32 = 2.0 / 3.0;

/// Opens the database and sets up everything that needs no network.
pub fn new_partial(config: &Configuration) -> Result<Partial, ServiceError> {
	let telemetry = new_telemetry(config)?;
	let executor = new_executor(config);
	let (client, backend, keystore_container, task_manager) =
		sc_service::new_full_parts::<Block, RuntimeApi, _>(
			config,
			telemetry.as_ref().map(|(_, telemetry)| telemetry.handle()),
			executor,
			Vec::new(),
		)?;
	let client = Arc::new(client);
	let telemetry = telemetry.map(|(worker, telemetry)| {
		task_manager.spawn_handle().spawn("telemetry", None, worker.run());
		telemetry
	});

	let select_chain = sc_consensus::LongestChain::new(backend.clone());
	let transaction_pool = Arc::new(
		sc_transaction_pool::Builder::new(
			task_manager.spawn_essential_handle(),
			client.clone(),
			config.role.is_authority().into(),
		)
		.with_options(config.transaction_pool.clone())
		.with_prometheus(config.prometheus_registry())
		.build(),
	);

	let (block_import, grandpa_link) = sc_consensus_grandpa::block_import(
		client.clone(),
		JUSTIFICATION_PERIOD,
		&client,
		select_chain.clone(),
		telemetry.as_ref().map(Telemetry::handle),
	)?;
	let import_queue = new_import_queue(
		config,
		client.clone(),
		block_import.clone(),
		&task_manager,
		telemetry.as_ref().map(Telemetry::handle),
	)?;

	Ok(sc_service::PartialComponents {
		client,
		backend,
		task_manager,
		keystore_container,
		select_chain,
		import_queue,
		transaction_pool,
		other: (block_import, grandpa_link, telemetry),
	})
}

/// What runs the runtime's blob. Development nodes, which start often, keep its compiled form.
fn new_executor(config: &Configuration) -> FullExecutor {
	let heap = config.executor.default_heap_pages.map_or(DEFAULT_HEAP_ALLOC_STRATEGY, |pages| {
		HeapAllocStrategy::Static { extra_pages: pages.saturated_into() }
	});
	let builder = FullExecutor::builder()
		.with_execution_method(config.executor.wasm_method)
		.with_onchain_heap_alloc_strategy(heap)
		.with_offchain_heap_alloc_strategy(heap)
		.with_max_runtime_instances(config.executor.max_runtime_instances)
		.with_runtime_cache_size(config.executor.runtime_cache_size);
	let is_development = config.chain_spec.chain_type() == ChainType::Development;
	match user_cache_dir().filter(|_| is_development) {
		Some(cache) => builder.with_cache_path(cache.join("paystream/compiled-runtimes")).build(),
		None => builder.build(),
	}
}

/// Where this user's programs keep what they can make again; nothing if there is no such place.
fn user_cache_dir() -> Option<PathBuf> {
	let by_name = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
	by_name("XDG_CACHE_HOME").or_else(|| by_name("HOME").map(|home| home.join(".cache")))
}

fn new_telemetry(
	config: &Configuration,
) -> Result<Option<(TelemetryWorker, Telemetry)>, ServiceError> {
	let Some(endpoints) = config.telemetry_endpoints.clone().filter(|list| !list.is_empty()) else {
		return Ok(None);
	};
	let worker = TelemetryWorker::new(16)?;
	let telemetry = worker.handle().new_telemetry(endpoints);
	Ok(Some((worker, telemetry)))
}

fn new_import_queue(
	config: &Configuration,
	client: Arc<FullClient>,
	block_import: FullBlockImport,
	task_manager: &TaskManager,
	telemetry: Option<TelemetryHandle>,
) -> Result<sc_consensus::DefaultImportQueue<Block>, ServiceError> {
	let slot_client = client.clone();
	let queue = sc_consensus_aura::import_queue::<AuraPair, _, _, _, _, _>(ImportQueueParams {
		block_import: block_import.clone(),
		justification_import: Some(Box::new(block_import)),
		client,
		create_inherent_data_providers: move |parent, _| {
			let client = slot_client.clone();
			async move {
				let slot_duration = sc_consensus_aura::standalone::slot_duration_at::<AuraId, _, _>(
					&*client, parent,
				)?;
				Ok(inherents_now(slot_duration))
			}
		},
		spawner: &task_manager.spawn_essential_handle(),
		registry: config.prometheus_registry(),
		check_for_equivocation: Default::default(),
		telemetry,
		compatibility_mode: Default::default(),
	})?;
	Ok(queue)
}

/// The slot and the time of this moment, by this machine's clock.
fn inherents_now(slot_duration: SlotDuration) -> (SlotProvider, TimestampProvider) {
	let timestamp = TimestampProvider::from_system_time();
	let slot = SlotProvider::from_timestamp_and_slot_duration(*timestamp, slot_duration);
	(slot, timestamp)
}

/// A node that is connected, and what block production and finality need of it.
struct Running {
	client: Arc<FullClient>,
	select_chain: FullSelectChain,
	pool: Arc<FullPool>,
	keystore: KeystorePtr,
	network: Arc<dyn NetworkService>,
	sync: Arc<SyncingService<Block>>,
	prometheus: Option<Registry>,
	telemetry: Option<TelemetryHandle>,
	name: String,
	role: Role,
	force_authoring: bool,
	finality_is_on: bool,
}

/// GRANDPA's place in the network.
struct FinalityChannel {
	protocol: ProtocolName,
	notifications: Box<dyn NotificationService>,
}

/// Starts a node. It runs until the returned task manager is dropped or an essential task ends.
pub fn new_full<N>(config: Configuration) -> Result<TaskManager, ServiceError>
where
	N: NetworkBackend<Block, <Block as BlockT>::Hash>,
{
	let partial = new_partial(&config)?;
	let (mut task_manager, running, block_import, link, channel) = connect::<N>(config, partial)?;

	if running.role.is_authority() {
		start_authoring(&running, block_import, &mut task_manager)?;
	}
	if running.finality_is_on {
		start_finality(running, link, channel, &mut task_manager)?;
	}
	Ok(task_manager)
}

/// Joins the network and opens the RPC.
fn connect<N>(
	config: Configuration,
	partial: Partial,
) -> Result<(TaskManager, Running, FullBlockImport, FullGrandpaLink, FinalityChannel), ServiceError>
where
	N: NetworkBackend<Block, <Block as BlockT>::Hash>,
{
	let sc_service::PartialComponents {
		client,
		backend,
		mut task_manager,
		import_queue,
		keystore_container,
		select_chain,
		transaction_pool: pool,
		other: (block_import, link, mut telemetry),
	} = partial;

	let mut net_config = FullNetworkConfiguration::<_, _, N>::new(
		&config.network,
		config.prometheus_registry().cloned(),
	);
	let metrics = N::register_notification_metrics(config.prometheus_registry());
	let channel = add_finality_channel::<N>(&config, &client, &mut net_config, &metrics)?;
	let warp_sync = Arc::new(sc_consensus_grandpa::warp_proof::NetworkProvider::new(
		backend.clone(),
		link.shared_authority_set().clone(),
		Vec::new(),
	));
	let (network, system_rpc_tx, tx_handler_controller, sync, _) =
		sc_service::build_network(sc_service::BuildNetworkParams {
			config: &config,
			net_config,
			client: client.clone(),
			transaction_pool: pool.clone(),
			spawn_handle: task_manager.spawn_handle(),
			spawn_essential_handle: task_manager.spawn_essential_handle(),
			import_queue,
			block_announce_validator_builder: None,
			warp_sync_config: Some(WarpSyncConfig::WithProvider(warp_sync)),
			block_relay: None,
			metrics,
			gap_sync_body_policy: None,
		})?;

	let running = Running {
		client: client.clone(),
		select_chain,
		pool: pool.clone(),
		keystore: keystore_container.keystore(),
		network: network.clone(),
		sync: sync.clone(),
		prometheus: config.prometheus_registry().cloned(),
		telemetry: telemetry.as_ref().map(Telemetry::handle),
		name: config.network.node_name.clone(),
		role: config.role,
		force_authoring: config.force_authoring,
		finality_is_on: !config.disable_grandpa,
	};
	sc_service::spawn_tasks(sc_service::SpawnTasksParams {
		config,
		client: client.clone(),
		backend,
		task_manager: &mut task_manager,
		keystore: keystore_container.keystore(),
		transaction_pool: pool.clone(),
		rpc_builder: Box::new(move |_| {
			crate::rpc::create_full(client.clone(), pool.clone()).map_err(Into::into)
		}),
		network,
		system_rpc_tx,
		tx_handler_controller,
		sync_service: sync,
		telemetry: telemetry.as_mut(),
		tracing_execute_block: None,
	})?;
	Ok((task_manager, running, block_import, link, channel))
}

fn add_finality_channel<N>(
	config: &Configuration,
	client: &FullClient,
	net_config: &mut FullNetworkConfiguration<Block, <Block as BlockT>::Hash, N>,
	metrics: &NotificationMetrics,
) -> Result<FinalityChannel, ServiceError>
where
	N: NetworkBackend<Block, <Block as BlockT>::Hash>,
{
	let genesis_hash = client.block_hash(0)?.ok_or_else(|| {
		ServiceError::Other("the database has no genesis block; delete it with purge-chain".into())
	})?;
	let protocol = sc_consensus_grandpa::protocol_standard_name(&genesis_hash, &config.chain_spec);
	let (protocol_config, notifications) = sc_consensus_grandpa::grandpa_peers_set_config::<_, N>(
		protocol.clone(),
		metrics.clone(),
		net_config.peer_store_handle(),
	);
	net_config.add_notification_protocol(protocol_config);
	Ok(FinalityChannel { protocol, notifications })
}

/// Writes blocks in this node's slots. The node stops if that task does.
fn start_authoring(
	node: &Running,
	block_import: FullBlockImport,
	task_manager: &mut TaskManager,
) -> Result<(), ServiceError> {
	let proposer_factory = sc_basic_authorship::ProposerFactory::new(
		task_manager.spawn_handle(),
		node.client.clone(),
		node.pool.clone(),
		node.prometheus.as_ref(),
		node.telemetry.clone(),
	);
	let slot_duration = sc_consensus_aura::slot_duration::<AuraId, _, _>(&*node.client)?;
	let aura =
		sc_consensus_aura::start_aura::<AuraPair, _, _, _, _, _, _, _, _, _, _>(StartAuraParams {
			slot_duration,
			client: node.client.clone(),
			select_chain: node.select_chain.clone(),
			block_import,
			proposer_factory,
			sync_oracle: node.sync.clone(),
			justification_sync_link: node.sync.clone(),
			create_inherent_data_providers: move |_, ()| async move { Ok(inherents_now(slot_duration)) },
			force_authoring: node.force_authoring,
			backoff_authoring_blocks: None::<()>,
			keystore: node.keystore.clone(),
			block_proposal_slot_portion: SlotProportion::new(PROPOSAL_SLOT_PORTION),
			max_block_proposal_slot_portion: None,
			telemetry: node.telemetry.clone(),
			compatibility_mode: Default::default(),
		})?;
	task_manager.spawn_essential_handle().spawn_blocking("aura", Some("block-authoring"), aura);
	Ok(())
}

/// Follows GRANDPA, and votes if this node is a validator. The node stops if that task does.
///
/// A validator votes for its best block without holding back: with one author a slot, forks are rare,
/// and who is paid by the second waits for finality.
fn start_finality(
	node: Running,
	link: FullGrandpaLink,
	channel: FinalityChannel,
	task_manager: &mut TaskManager,
) -> Result<(), ServiceError> {
	let voter = sc_consensus_grandpa::run_grandpa_voter(GrandpaParams {
		config: sc_consensus_grandpa::Config {
			gossip_duration: GOSSIP_DURATION,
			justification_generation_period: JUSTIFICATION_PERIOD,
			observer_enabled: false,
			keystore: node.role.is_authority().then_some(node.keystore),
			local_role: node.role,
			name: Some(node.name),
			telemetry: node.telemetry.clone(),
			protocol_name: channel.protocol,
		},
		link,
		network: node.network,
		sync: node.sync,
		notification_service: channel.notifications,
		voting_rule: VotingRulesBuilder::new().add(ThreeQuartersOfTheUnfinalizedChain).build(),
		prometheus_registry: node.prometheus,
		shared_voter_state: SharedVoterState::empty(),
		telemetry: node.telemetry,
		offchain_tx_pool_factory: OffchainTransactionPoolFactory::new(node.pool),
	})?;
	task_manager.spawn_essential_handle().spawn_blocking("grandpa-voter", None, voter);
	Ok(())
}
