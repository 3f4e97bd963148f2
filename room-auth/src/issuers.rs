//! The table of trusted issuers: for each, whose keys, which audience, which roles.
//!
//! A token's unverified `iss` and the family of its algorithm select one policy, and only that
//! policy's keys are tried.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use crate::error::Reason;
use crate::hmac::LegacySecrets;
use crate::identity::{Role, Standing};
use crate::jwks::{KeySet, KeyStore};
use crate::jws::{Algorithm, Header, HeaderAlgorithm};
use crate::jwt::claims::{IssuedAt, Lifetime};

mod fault;
mod keys;

pub use fault::{ConfigError, ConfigFault};
pub(crate) use keys::{KeyRefusal, PolicyKeys};

/// The audience of Room's tokens unless another is set.
pub const DEFAULT_AUDIENCE: &str = "quoroom-runtime";

/// The issuer of the predecessor's tokens.
pub const LEGACY_ISSUER: &str = "quoroom-cloud";

/// How far clocks may differ unless another leeway is set.
pub const DEFAULT_LEEWAY: Duration = Duration::from_secs(30);

/// The largest leeway that can be set.
pub const MAX_LEEWAY: Duration = Duration::from_mins(2);

/// The longest life of a token that can be allowed, and what is allowed unless set. An hour or
/// less is what an issuer should choose.
pub const MAX_LIFETIME: Duration = Duration::from_hours(24);

/// Which role a token gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Roles {
    /// The closed list, to the letter.
    Closed,
    /// The closed list, and further names that an old issuer used.
    Mapped { names: BTreeMap<String, Role>, absent: Option<Role> },
}

/// One trusted issuer.
#[derive(Debug)]
pub struct IssuerPolicy {
    pub(crate) issuer: String,
    pub(crate) audiences: Vec<String>,
    logout_audiences: Vec<String>,
    pub(crate) keys: PolicyKeys,
    pub(crate) algorithms: Vec<Algorithm>,
    pub(crate) types: Vec<String>,
    pub(crate) leeway: Duration,
    pub(crate) max_lifetime: Duration,
    pub(crate) may_be_service: bool,
    pub(crate) roles: Roles,
}

impl IssuerPolicy {
    /// An issuer whose keys never change while the server runs.
    pub fn static_keys(issuer: impl Into<String>, keys: KeySet) -> Self {
        Self::new(issuer.into(), PolicyKeys::Static(Arc::new(keys)))
    }

    /// An issuer whose keys are fetched; [`KeyStore::run`] has to be polled by someone.
    pub fn jwks(issuer: impl Into<String>, keys: Arc<KeyStore>) -> Self {
        Self::new(issuer.into(), PolicyKeys::Remote(keys))
    }

    /// The legacy issuer: HS256, [`LEGACY_ISSUER`], `user` and no role at all read as owner, no
    /// `iat` needed. Each of these can be changed but the algorithm.
    pub fn legacy_hmac(secrets: Arc<LegacySecrets>) -> Self {
        let names = BTreeMap::from([("user".to_owned(), Role::Owner)]);
        Self {
            roles: Roles::Mapped { names, absent: Some(Role::Owner) },
            algorithms: Vec::new(),
            ..Self::new(LEGACY_ISSUER.to_owned(), PolicyKeys::Legacy(secrets))
        }
    }

    fn new(issuer: String, keys: PolicyKeys) -> Self {
        Self {
            issuer,
            audiences: vec![DEFAULT_AUDIENCE.to_owned()],
            logout_audiences: Vec::new(),
            keys,
            algorithms: Algorithm::ALL.to_vec(),
            types: vec!["JWT".to_owned()],
            leeway: DEFAULT_LEEWAY,
            max_lifetime: MAX_LIFETIME,
            may_be_service: false,
            roles: Roles::Closed,
        }
    }

    /// The `iss` of its tokens, compared byte for byte.
    #[must_use]
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuer = issuer.into();
        self
    }

    /// The one audience its tokens must name.
    #[must_use]
    pub fn audience(self, audience: impl Into<String>) -> Self {
        self.audiences([audience.into()])
    }

    /// The audiences one of which its tokens must name.
    #[must_use]
    pub fn audiences(mut self, audiences: impl IntoIterator<Item = String>) -> Self {
        self.audiences = audiences.into_iter().collect();
        self
    }

    /// The audience of its logout tokens, if it is another one: the client id it knows us by.
    #[must_use]
    pub fn logout_audience(mut self, audience: impl Into<String>) -> Self {
        self.logout_audiences = vec![audience.into()];
        self
    }

    /// The algorithms it may use: fewer than all three.
    #[must_use]
    pub fn algorithms(mut self, algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        self.algorithms = algorithms.into_iter().collect();
        self
    }

    /// The values of `typ` it may write, `JWT` unless set, in any case (RFC 7515, section 4.1.9).
    /// A header without `typ` is always taken.
    #[must_use]
    pub fn types(mut self, types: impl IntoIterator<Item = String>) -> Self {
        self.types = types.into_iter().collect();
        self
    }

    /// How far clocks may differ; [`MAX_LEEWAY`] at most.
    #[must_use]
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.leeway = leeway;
        self
    }

    /// The longest life of a token, from `iat` to `exp`; [`MAX_LIFETIME`] at most.
    #[must_use]
    pub fn max_lifetime(mut self, life: Duration) -> Self {
        self.max_lifetime = life;
        self
    }

    /// Lets it speak as a service (`role: "control"`), not only for people.
    #[must_use]
    pub fn service(mut self, allowed: bool) -> Self {
        self.may_be_service = allowed;
        self
    }

    /// Further role names of the legacy issuer, and what no role at all means.
    ///
    /// Only the legacy issuer may have such a table: for any other one it is a fault at start.
    #[must_use]
    pub fn role_table(
        mut self,
        names: impl IntoIterator<Item = (String, Role)>,
        absent: Option<Role>,
    ) -> Self {
        self.roles = Roles::Mapped { names: names.into_iter().collect(), absent };
        self
    }

    pub(crate) fn family(&self) -> Family {
        match self.keys {
            PolicyKeys::Static(_) | PolicyKeys::Remote(_) => Family::Public,
            PolicyKeys::Legacy(_) => Family::Secret,
        }
    }

    pub(crate) fn lifetime(&self) -> Lifetime {
        Lifetime {
            leeway_seconds: self.leeway.as_secs(),
            max_seconds: self.max_lifetime.as_secs(),
            issued_at: match self.family() {
                Family::Public => IssuedAt::Required,
                Family::Secret => IssuedAt::Optional,
            },
        }
    }

    /// Whether the policy takes a header at all, before any key is looked at.
    pub(crate) fn check_header(&self, header: &Header<'_>) -> Result<(), Reason> {
        self.check_algorithm(header)?;
        let is_ours = |typ: &str| self.types.iter().any(|ours| ours.eq_ignore_ascii_case(typ));
        if header.typ.as_deref().is_none_or(is_ours) { Ok(()) } else { Err(Reason::Type) }
    }

    /// Whether the issuer may use the algorithm. Which one of the legacy issuer's it is, the
    /// family has said.
    pub(crate) fn check_algorithm(&self, header: &Header<'_>) -> Result<(), Reason> {
        let is_allowed = |algorithm| self.algorithms.contains(&algorithm);
        if header.public_algorithm().is_none_or(is_allowed) {
            Ok(())
        } else {
            Err(Reason::Algorithm)
        }
    }

    /// What a logout token has to be for.
    pub(crate) fn logout_audiences(&self) -> &[String] {
        if self.logout_audiences.is_empty() { &self.audiences } else { &self.logout_audiences }
    }

    /// What a role claim stands for.
    pub(crate) fn standing(&self, role: Option<&str>) -> Result<Standing, Reason> {
        if role == Some("control") {
            return if self.may_be_service {
                Ok(Standing::Service)
            } else {
                Err(Reason::ServiceNotAllowed)
            };
        }
        let (mapped, absent) = match &self.roles {
            Roles::Closed => (None, None),
            Roles::Mapped { names, absent } => {
                (role.and_then(|role| names.get(role)).copied(), *absent)
            }
        };
        match role {
            None => absent,
            Some(role) => mapped.or_else(|| Role::parse(role)),
        }
        .map(Standing::Person)
        .ok_or(Reason::Role)
    }

    fn faults(&self, faults: &mut Vec<ConfigFault>) {
        let issuer = || self.issuer.clone();
        if self.issuer.trim().is_empty() {
            faults.push(ConfigFault::NoIssuer);
        }
        if self.audiences.is_empty() || self.audiences.iter().any(|name| name.trim().is_empty()) {
            faults.push(ConfigFault::NoAudience { issuer: issuer() });
        }
        if self.leeway > MAX_LEEWAY {
            faults.push(ConfigFault::Leeway { issuer: issuer() });
        }
        if self.max_lifetime > MAX_LIFETIME || self.max_lifetime.as_secs() == 0 {
            faults.push(ConfigFault::Lifetime { issuer: issuer() });
        }
        match self.family() {
            Family::Public => {
                if self.algorithms.is_empty() {
                    faults.push(ConfigFault::NoAlgorithm { issuer: issuer() });
                }
                if self.roles != Roles::Closed {
                    faults.push(ConfigFault::RoleTable { issuer: issuer() });
                }
            }
            Family::Secret => {
                if self.may_be_service {
                    faults.push(ConfigFault::LegacyService);
                }
            }
        }
        if let PolicyKeys::Static(keys) = &self.keys
            && keys.is_empty()
        {
            faults.push(ConfigFault::NoKeys { issuer: issuer() });
        }
    }
}

/// The two kinds of signature, which never share a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Family {
    Public,
    Secret,
}

impl From<HeaderAlgorithm> for Family {
    fn from(algorithm: HeaderAlgorithm) -> Self {
        match algorithm {
            HeaderAlgorithm::Public(_) => Self::Public,
            HeaderAlgorithm::Hs256 => Self::Secret,
        }
    }
}

/// The policies, by issuer and family.
#[derive(Debug)]
pub(crate) struct Issuers {
    policies: Vec<IssuerPolicy>,
    by_public: HashMap<Box<str>, usize>,
    by_secret: HashMap<Box<str>, usize>,
}

impl Issuers {
    /// Checks a table as a whole; the faults it finds go to `faults`.
    pub(crate) fn new(
        policies: Vec<IssuerPolicy>,
        legacy_beside_keys: bool,
        faults: &mut Vec<ConfigFault>,
    ) -> Self {
        let (mut by_public, mut by_secret) = (HashMap::new(), HashMap::new());
        for (index, policy) in policies.iter().enumerate() {
            policy.faults(faults);
            let by_name = match policy.family() {
                Family::Public => &mut by_public,
                Family::Secret => &mut by_secret,
            };
            if by_name.insert(policy.issuer.as_str().into(), index).is_some() {
                faults.push(ConfigFault::Twice { issuer: policy.issuer.clone() });
            }
        }
        let has = |family| policies.iter().any(|policy| policy.family() == family);
        if has(Family::Secret) && has(Family::Public) && !legacy_beside_keys {
            faults.push(ConfigFault::LegacyBesideKeys);
        }
        Self { policies, by_public, by_secret }
    }

    /// The one policy whose keys may be tried.
    pub(crate) fn select(&self, family: Family, issuer: &str) -> Option<(usize, &IssuerPolicy)> {
        let by_name = match family {
            Family::Public => &self.by_public,
            Family::Secret => &self.by_secret,
        };
        let index = *by_name.get(issuer)?;
        Some((index, self.policies.get(index)?))
    }

    pub(crate) fn get(&self, index: usize) -> Option<&IssuerPolicy> {
        self.policies.get(index)
    }

    pub(crate) fn all(&self) -> &[IssuerPolicy] {
        &self.policies
    }
}

#[cfg(test)]
mod tests;
