//! The composition root: the only place that names adapters.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use anyhow::{Context, Result};
use kunji_shared::packet::Splitter;
use tokio::sync::Notify;

use crate::{
    config::Settings,
    domain::{
        alias::ApplicationId,
        policy::{AccessList, DestructionTerms, KeyPolicy},
    },
    ports::{
        audit_sink::AuditSink, audit_trail::AuditTrail, bulk_cipher::BulkCipher, clock::Clock,
        demo_inbox::DemoInbox, entropy::Entropy, key_store::KeyStore, pdf::PdfSigning,
        repository::Repository, secret_hasher::SecretHasher, software_keys::SoftwareKeys, spool::Spool,
    },
    services::{
        Services,
        access::{
            AccessService,
            ended_epochs::EndedEpochs,
            known_clients::KnownClients,
            standing::Standing,
            tokens::{AccessTokens, TokenSettings},
        },
        audit::{AuditService, checkpoints::Checkpointer, signer::StatementSigner},
        auditor::Auditor,
        authorization::Authorizer,
        bootstrap,
        demo::DemoService,
        denials::Denials,
        destruction::DestructionService,
        key_policies::KeyPolicyService,
        keys::{
            KeyService, KeySettings,
            cross::CrossCertificates,
            directory::KeyDirectory,
            issuing::{Issuer, SubjectDefaults},
            policies::PolicyTable,
            private_keys::PrivateKeys,
            provisioning::Provisioner,
            revocation::RevocationLists,
            signer::Signer,
            wraps::Wraps,
        },
        packets::{PacketDependencies, PacketService, PacketSettings},
        pseudonyms::Pseudonyms,
        readiness::Readiness,
        rewrap::RewrapService,
        rotation::RotationService,
        signatures::{CompromisedKeys, KeySets, OwnKeys, SignatureService},
    },
};

mod adapters;
mod administrator;
mod audit;
pub mod exit;
mod external_issuers;
pub mod hsm_worker;
pub mod pdf_worker;
mod private_file;
mod serve;
mod system_keys;
mod tls;
mod tokens;
mod trust;

pub use adapters::open_ports;
pub use audit::Outside;
pub use serve::serve;

use audit::Audit;

/// The adapters, as the services see them.
#[derive(Clone)]
#[expect(missing_docs, reason = "each is named and documented by its port")]
pub struct Ports {
    pub audit: Arc<dyn AuditTrail>,
    pub cipher: Arc<dyn BulkCipher>,
    pub clock: Arc<dyn Clock>,
    pub demo_inbox: Option<Arc<dyn DemoInbox>>,
    pub entropy: Arc<dyn Entropy>,
    pub hasher: Arc<dyn SecretHasher>,
    pub outside: Outside,
    pub pdf: Arc<dyn PdfSigning>,
    pub repository: Arc<dyn Repository>,
    pub software: Arc<dyn SoftwareKeys>,
    pub spool: Arc<dyn Spool>,
    pub token: Arc<dyn KeyStore>,
}

/// A server's services, ready to be served.
pub struct Running {
    /// The use cases.
    pub services: Services,
    /// Where this start wrote the first administrator's secret, if it did.
    pub new_secret: Option<PathBuf>,
    auditor: Arc<Auditor>,
    checkpointer: Arc<Checkpointer>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Running {
    /// Ends the audit trail: what was counted is recorded, and the end is signed. Requests must have ended.
    ///
    /// # Errors
    /// When the end cannot be recorded.
    pub async fn stop(self) -> Result<()> {
        self.services.denials.flush(true).await;
        self.auditor.own("server.stop", None, None).await?;
        self.checkpointer.end().await;
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.tasks.iter().for_each(tokio::task::JoinHandle::abort);
    }
}

/// Joins services and ports, and makes what a first start needs: integrity key, policies, keys, administrator.
///
/// # Errors
/// When a port fails or the settings cannot be met.
pub async fn start(settings: &Settings, ports: Ports) -> Result<Running> {
    let sink: Arc<dyn AuditSink> = Arc::<dyn AuditTrail>::clone(&ports.audit);
    let pseudonyms = Pseudonyms::new(settings.audit_pseudonymous_references.clone());
    let auditor = Arc::new(Auditor::new(Arc::clone(&ports.clock), sink, pseudonyms));
    audit::record_start(&auditor, settings).await.context("the start could not be recorded")?;
    let staleness = Duration::from_millis(settings.current_key_cache_milliseconds);
    let standby = Duration::from_secs(settings.database_away_seconds);
    let directory = Arc::new(KeyDirectory::new(Arc::clone(&ports.repository), staleness, standby));

    // The policies are tagged rows, which cannot be read before the integrity key is there; making that key
    // needs no policy.
    let provisioner = provisioner(settings, &ports, &auditor, &directory, PolicyTable::default())?;
    let is_first_start = system_keys::install(settings, &ports, &auditor, &provisioner).await?;
    directory.states.refresh().await.context("the states of keys could not be read")?;
    let policies = bootstrap::ensure_policies(&*ports.repository, &configured_policies(settings)?)
        .await
        .context("the policies could not be read")?;
    let policies = PolicyTable::new(policies);
    let provisioner = Arc::new(self::provisioner(settings, &ports, &auditor, &directory, policies)?);
    if !is_first_start {
        bootstrap::recognise_keys(&provisioner)
            .await
            .context("the keys on the token could not be checked")?;
    }
    bootstrap::ensure_keys(&provisioner, &settings.key_aliases()).await.context("a key could not be made")?;

    let ended = Arc::new(EndedEpochs::new(Arc::clone(&ports.clock), Arc::clone(&ports.repository)));
    ended.refresh().await.context("which clients were disabled could not be read")?;
    let external = Arc::new(external_issuers::open(settings, &ports.clock)?);
    let authorizer = Authorizer::load(
        Arc::clone(&ports.repository),
        Arc::clone(&ports.clock),
        Arc::clone(&auditor),
        Arc::clone(&provisioner.policies),
        Standing::new(Arc::clone(&ports.clock), Arc::clone(&ended), Arc::clone(&external)),
    )
    .await
    .context("the access policies could not be read")?;
    let authorizer = Arc::new(authorizer);
    let tokens = Arc::new(AccessTokens::new(
        Arc::clone(&provisioner),
        Arc::clone(&ports.clock),
        Arc::clone(&ports.token),
        Arc::clone(&ended),
        TokenSettings { issuer: issuer(settings), lifetime_seconds: settings.token_lifetime_seconds },
    ));
    tokens.refresh().await.context("the key that signs access tokens could not be made")?;
    let private_keys = Arc::new(PrivateKeys::new(
        Arc::clone(&directory),
        Arc::clone(&ports.repository),
        Arc::clone(&ports.software),
        Arc::clone(&ports.token),
        Duration::from_secs(settings.key_cache_seconds),
        settings.key_cache_entries,
    ));
    let access = AccessService {
        auditor: Arc::clone(&auditor),
        authorizer: Arc::clone(&authorizer),
        clock: Arc::clone(&ports.clock),
        ended: Arc::clone(&ended),
        entropy: Arc::clone(&ports.entropy),
        external: Arc::clone(&external),
        hasher: Arc::clone(&ports.hasher),
        known_clients: KnownClients::new(
            Arc::clone(&ports.clock),
            Arc::clone(&ports.repository),
            Arc::clone(&ended),
        ),
        repository: Arc::clone(&ports.repository),
        tokens: Arc::clone(&tokens),
    };
    let Audit { service, checkpointer, mut tasks } =
        audit::begin(settings, &ports, &auditor, &authorizer, &provisioner).await?;
    let shared = Shared {
        access: Arc::new(access),
        audit: Arc::new(service),
        auditor: Arc::clone(&auditor),
        authorizer: Arc::clone(&authorizer),
        private_keys: Arc::clone(&private_keys),
        provisioner: Arc::clone(&provisioner),
    };
    let services = services(settings, ports, shared)?;
    let new_secret = administrator::ensure(settings, &services.access)
        .await
        .context("the first administrator could not be made")?;
    let followed = Arc::clone(&directory);
    let directory = settings.has_remote_database().then_some(directory);
    let (denials, lists) = (Arc::clone(&services.denials), Arc::clone(&services.revocation_lists));
    tasks.extend([
        tokio::spawn(async move { lists.keep_fresh().await }),
        tokio::spawn(async move {
            tokio::join!(
                bootstrap::maintain(tokens, private_keys, directory, denials),
                ended.watch(),
                external.watch()
            );
        }),
        tokio::spawn(bootstrap::maintain_keys(provisioner)),
        tokio::spawn(authorizer.follow()),
        tokio::spawn(async move { followed.states.follow().await }),
    ]);
    tasks.extend(tasks_of(&services));
    Ok(Running { services, new_secret, auditor, checkpointer, tasks })
}

/// What services do by themselves.
fn tasks_of(services: &Services) -> [tokio::task::JoinHandle<()>; 4] {
    [
        tokio::spawn(Arc::clone(&services.key_policies).follow()),
        tokio::spawn(Arc::clone(&services.rotation).keep_renewed()),
        tokio::spawn(Arc::clone(&services.destruction).keep_destroying()),
        tokio::spawn(Arc::clone(&services.rewrap).keep_rewrapping()),
    ]
}

/// What services have in common.
struct Shared {
    access: Arc<AccessService>,
    audit: Arc<AuditService>,
    auditor: Arc<Auditor>,
    authorizer: Arc<Authorizer>,
    private_keys: Arc<PrivateKeys>,
    provisioner: Arc<Provisioner>,
}

fn services(settings: &Settings, ports: Ports, shared: Shared) -> Result<Services> {
    let (destruction, rewrap) = (destruction(settings, &ports, &shared), rewrap(&ports, &shared));
    let Shared { access, audit, auditor, authorizer, private_keys, provisioner } = shared;
    let directory = Arc::clone(&provisioner.directory);
    let policies = Arc::clone(&provisioner.policies);
    let trust = trust::read(settings, &ports.clock)?;
    let pending = Arc::clone(&provisioner.pending);
    let signer =
        Arc::new(Signer { private_keys: Arc::clone(&private_keys), token: Arc::clone(&ports.token) });
    let keys = Arc::new(KeyService::new(
        Arc::clone(&provisioner),
        Arc::clone(&ports.software),
        Arc::clone(&private_keys),
        Arc::clone(&auditor),
        Arc::clone(&authorizer),
        Arc::clone(&signer),
        KeySettings {
            creation_quota_per_hour: settings.key_creation_quota_per_hour,
            public_certificates: settings.public_certificates.clone(),
            reference_patterns: settings.reference_patterns.clone(),
        },
    )?);
    let packets = PacketService::new(
        PacketDependencies {
            auditor: Arc::clone(&auditor),
            authorizer: Arc::clone(&authorizer),
            cipher: ports.cipher,
            directory: Arc::clone(&directory),
            entropy: Arc::clone(&ports.entropy),
            keys: Arc::clone(&keys),
            policies: Arc::clone(&policies),
            private_keys: Arc::clone(&private_keys),
            spool: ports.spool,
        },
        PacketSettings {
            limit_bytes: settings.packet_limit_bytes,
            spooled_bodies: settings.spooled_bodies,
            patience: Duration::from_secs(settings.idle_timeout_seconds),
            spool_threshold_bytes: settings.spool_threshold_bytes,
            splitter: Splitter::new(settings.splitter.as_bytes())?,
            keys_without_thumbprint: settings
                .packets_without_thumbprint
                .then_some(settings.packets_without_thumbprint_keys),
        },
    );
    let demo = DemoService {
        authorizer: Arc::clone(&authorizer),
        clock: Arc::clone(&ports.clock),
        entropy: Arc::clone(&ports.entropy),
        inbox: ports.demo_inbox,
        keys: Arc::clone(&keys),
        recipient: settings.demo_recipient().context("demo_recipient")?,
    };
    let key_policies = KeyPolicyService {
        auditor: Arc::clone(&auditor),
        authorizer: Arc::clone(&authorizer),
        changing: tokio::sync::Mutex::default(),
        clock: Arc::clone(&ports.clock),
        repository: Arc::clone(&ports.repository),
        table: Arc::clone(&policies),
    };
    Ok(Services {
        access,
        audit,
        authorization: Arc::clone(&authorizer),
        clock: Arc::clone(&ports.clock),
        demo: Arc::new(demo),
        denials: Arc::new(Denials::new(Arc::clone(&auditor))),
        destruction: Arc::new(destruction),
        key_policies: Arc::new(key_policies),
        packets: Arc::new(packets),
        rewrap: Arc::new(rewrap),
        rotation: Arc::new(RotationService {
            clock: Arc::clone(&ports.clock),
            keys: Arc::clone(&keys),
            provisioner: Arc::clone(&provisioner),
            repository: Arc::clone(&ports.repository),
        }),
        revocation_lists: Arc::new(RevocationLists::new(provisioner)),
        readiness: Arc::new(Readiness {
            pending,
            repository: ports.repository,
            token: Arc::clone(&ports.token),
        }),
        signatures: Arc::new(SignatureService {
            auditor,
            authorizer,
            clock: ports.clock,
            directory,
            entropy: ports.entropy,
            key_sets: KeySets::default(),
            keys: Arc::clone(&keys),
            own_keys: OwnKeys::default(),
            pdf: ports.pdf,
            policies,
            signer,
            compromised_keys: CompromisedKeys::default(),
            trust: Arc::new(trust),
        }),
        keys,
    })
}

fn destruction(settings: &Settings, ports: &Ports, shared: &Shared) -> DestructionService {
    let provisioner = &shared.provisioner;
    DestructionService {
        auditor: Arc::clone(&shared.auditor),
        clock: Arc::clone(&ports.clock),
        private_keys: Arc::clone(&shared.private_keys),
        provisioner: Arc::clone(provisioner),
        repository: Arc::clone(&ports.repository),
        signer: StatementSigner { provisioner: Arc::clone(provisioner), token: Arc::clone(&ports.token) },
        told: Mutex::default(),
        unwatched_seconds: i64::from(settings.destruction_unwatched_seconds),
    }
}

fn rewrap(ports: &Ports, shared: &Shared) -> RewrapService {
    RewrapService {
        auditor: Arc::clone(&shared.auditor),
        clock: Arc::clone(&ports.clock),
        provisioner: Arc::clone(&shared.provisioner),
        repository: Arc::clone(&ports.repository),
        asked: Notify::default(),
    }
}

fn provisioner(
    settings: &Settings,
    ports: &Ports,
    auditor: &Arc<Auditor>,
    directory: &Arc<KeyDirectory>,
    policies: PolicyTable,
) -> Result<Provisioner> {
    let subject = settings.subject.clone();
    let mut holder = [0; 16];
    ports.entropy.fill(&mut holder)?;
    Ok(Provisioner {
        auditor: Arc::clone(auditor),
        clock: Arc::clone(&ports.clock),
        crosses: CrossCertificates::new(Arc::clone(&ports.repository)),
        directory: Arc::clone(directory),
        entropy: Arc::clone(&ports.entropy),
        issuer: Issuer {
            entropy: Arc::clone(&ports.entropy),
            public_url: Some(settings.public_url.clone()).filter(|url| !url.is_empty()),
            subject: SubjectDefaults {
                common_name: subject.common_name,
                organization_unit: subject.organization_unit,
                organization: subject.organization,
                location: subject.location,
                state: subject.state,
                country: subject.country,
            },
            token: Arc::clone(&ports.token),
        },
        modulus: settings.modulus().context("rsa_bits")?,
        pending: Arc::default(),
        policies: Arc::new(policies),
        repository: Arc::clone(&ports.repository),
        token: Arc::clone(&ports.token),
        wraps: Wraps::default(),
        holder: kunji_shared::encoding::encode_hex(&holder),
        held: Mutex::default(),
    })
}

fn configured_policies(settings: &Settings) -> Result<Vec<KeyPolicy>> {
    settings
        .policies
        .iter()
        .map(|(application, policy)| {
            Ok(KeyPolicy {
                application: ApplicationId::parse_any(application)?,
                validity_days: policy.validity_days,
                pre_expire_days: policy.pre_expire_days,
                pre_expire: BTreeMap::new(),
                modulus: None,
                max_wraps: None,
                active: true,
                automatic_rotation: true,
                destruction: DestructionTerms::default(),
                access: policy.access.clone().map_or(AccessList::AnyRoleHolder, AccessList::Principals),
            })
        })
        .collect()
}

fn issuer(settings: &Settings) -> String {
    if !settings.issuer.is_empty() {
        return settings.issuer.clone();
    }
    let scheme = if settings.has_tls() { "https" } else { "http" };
    format!("{scheme}://{}", settings.listen)
}
