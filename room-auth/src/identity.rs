//! What a proven caller is and may do.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use crate::principal::{Principal, Profile};

/// Who someone is: the issuer that says so, and its name for them. Neither means anything alone.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    /// Who vouches for the subject.
    pub issuer: String,
    /// The subject, unique within the issuer.
    pub subject: String,
}

impl Identity {
    /// The person whose machine this is: in local mode everyone who gets in is that person.
    pub fn local_owner() -> Self {
        Self { issuer: "room:local".into(), subject: "owner".into() }
    }
}

/// The roles of people. The list is closed: there is no default and no "else owner".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Everything.
    Owner,
    /// Everything but the instance itself.
    Admin,
    /// Sees the state, manages their own devices.
    Member,
    /// The same, for those who only look.
    Viewer,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 4] = [Self::Owner, Self::Admin, Self::Member, Self::Viewer];

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Admin => "admin",
            Self::Member => "member",
            Self::Viewer => "viewer",
        }
    }

    /// The role of that exact name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == name)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One thing that may be done. Every route and every channel names exactly one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Permission {
    /// Status and provider state without account, code or log.
    StatusRead,
    /// One's own sign-in and devices.
    Own,
    /// Connect, input, cancel, disconnect, verify, install, keys; codes, links, logs, accounts.
    ProvidersManage,
    /// The activity log.
    ActivityRead,
    /// Devices and sign-ins of others, never of someone above oneself.
    AccessManage,
    /// Revocation by subject, token id or key of the caller's own issuer.
    AccessRevoke,
    /// Backup, settings, raw input to a login.
    InstanceManage,
    /// Wiping the instance.
    InstanceWipe,
}

impl Permission {
    /// All permissions, in the order of the table.
    pub const ALL: [Self; 8] = [
        Self::StatusRead,
        Self::Own,
        Self::ProvidersManage,
        Self::ActivityRead,
        Self::AccessManage,
        Self::AccessRevoke,
        Self::InstanceManage,
        Self::InstanceWipe,
    ];

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::StatusRead => "status.read",
            Self::Own => "self",
            Self::ProvidersManage => "providers.manage",
            Self::ActivityRead => "activity.read",
            Self::AccessManage => "access.manage",
            Self::AccessRevoke => "access.revoke",
            Self::InstanceManage => "instance.manage",
            Self::InstanceWipe => "instance.wipe",
        }
    }
}

/// As what someone calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Standing {
    /// A person with a role.
    Person(Role),
    /// A program of a control plane: its three permissions and nothing else.
    Service,
}

impl Standing {
    /// The table of who may do what.
    pub fn may(self, permission: Permission) -> bool {
        use Permission as P;
        match self {
            Self::Person(Role::Owner) => match permission {
                P::StatusRead
                | P::Own
                | P::ProvidersManage
                | P::ActivityRead
                | P::AccessManage
                | P::InstanceManage
                | P::InstanceWipe => true,
                P::AccessRevoke => false,
            },
            Self::Person(Role::Admin) => matches!(
                permission,
                P::StatusRead | P::Own | P::ProvidersManage | P::ActivityRead | P::AccessManage
            ),
            Self::Person(Role::Member | Role::Viewer) => {
                matches!(permission, P::StatusRead | P::Own)
            }
            Self::Service => {
                matches!(permission, P::StatusRead | P::AccessRevoke | P::InstanceWipe)
            }
        }
    }

    /// What is allowed, in the order of the table.
    pub fn permissions(self) -> impl Iterator<Item = Permission> {
        Permission::ALL.into_iter().filter(move |permission| self.may(*permission))
    }
}

/// Someone who has proven who they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Who.
    pub identity: Identity,
    /// As what.
    pub standing: Standing,
    /// The sign-in this rests on; when it ends, so does everything that stands on it.
    pub session: String,
    /// The device's name, as the list of devices shows it.
    pub device: String,
    /// When the sign-in ends by itself; `None` means with the server.
    pub expires_at: Option<SystemTime>,
    /// What an issuer says of the person, for display.
    pub profile: Option<Profile>,
    /// The token it stands on, where the caller presented one.
    pub token: Option<Arc<Principal>>,
}

impl Caller {
    /// Whether the caller may do something.
    pub fn may(&self, permission: Permission) -> bool {
        self.standing.may(permission)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table as the contract prints it: owner, admin, member, viewer, service.
    const TABLE: [(&str, [bool; 5]); 8] = [
        ("status.read", [true, true, true, true, true]),
        ("self", [true, true, true, true, false]),
        ("providers.manage", [true, true, false, false, false]),
        ("activity.read", [true, true, false, false, false]),
        ("access.manage", [true, true, false, false, false]),
        ("access.revoke", [false, false, false, false, true]),
        ("instance.manage", [true, false, false, false, false]),
        ("instance.wipe", [true, false, false, false, true]),
    ];

    #[test]
    fn permissions_are_listed_as_the_table_has_them() {
        let viewer: Vec<_> = Standing::Person(Role::Viewer).permissions().collect();
        assert_eq!(viewer, [Permission::StatusRead, Permission::Own]);
        assert_eq!(Standing::Service.permissions().count(), 3);
    }

    #[test]
    fn the_table_is_the_contracts() {
        for (permission, (name, row)) in Permission::ALL.into_iter().zip(TABLE) {
            assert_eq!(permission.as_str(), name);
            let people = Role::ALL.map(Standing::Person);
            for (standing, expected) in people.into_iter().chain([Standing::Service]).zip(row) {
                assert_eq!(standing.may(permission), expected, "{standing:?} {name}");
            }
        }
    }

    #[test]
    fn roles_are_read_to_the_letter() {
        for role in Role::ALL {
            assert_eq!(Role::parse(role.as_str()), Some(role));
        }
        for not_one in ["", "Owner", "owner ", "user", "root", "control", "owners", "OWNER\0"] {
            assert_eq!(Role::parse(not_one), None, "{not_one:?}");
        }
    }
}
