//! What the admin API lets its callers do: six areas, each to read or in full.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::catalog::{Resource, Scope};
use super::id::ResourceUri;

/// A part of the admin API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AdminArea {
    /// Clients, resources, scopes, and the clients that people ask for.
    Clients,
    /// People and their passwords.
    Users,
    /// Consents and tokens.
    Grants,
    /// Sign-ins.
    Sessions,
    /// Signing keys.
    Keys,
    /// What happened.
    Audit,
}

/// How much of an area.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AdminAccess {
    /// To look.
    Read,
    /// To look and to change.
    Full,
}

/// A scope of the admin API: `admin:clients:read`, `admin:clients`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AdminScope {
    /// Of which part.
    pub area: AdminArea,
    /// How much.
    pub access: AdminAccess,
}

/// The admin scopes that somebody holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AdminScopes(BTreeSet<AdminScope>);

impl AdminArea {
    /// Every area.
    pub const ALL: [Self; 6] = [Self::Clients, Self::Users, Self::Grants, Self::Sessions, Self::Keys, Self::Audit];

    /// The word in the scopes.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Clients => "clients",
            Self::Users => "users",
            Self::Grants => "grants",
            Self::Sessions => "sessions",
            Self::Keys => "keys",
            Self::Audit => "audit",
        }
    }

    /// The scope to look at it.
    pub const fn read(self) -> AdminScope {
        AdminScope { area: self, access: AdminAccess::Read }
    }

    /// The scope to change it.
    pub const fn full(self) -> AdminScope {
        AdminScope { area: self, access: AdminAccess::Full }
    }

    fn description(self) -> [(&'static str, &'static str); 2] {
        match self {
            Self::Clients => [
                ("See registered applications and APIs", "Registrierte Anwendungen und APIs sehen"),
                ("Manage registered applications and APIs", "Registrierte Anwendungen und APIs verwalten"),
            ],
            Self::Users => [("See accounts", "Konten sehen"), ("Manage accounts", "Konten verwalten")],
            Self::Grants => [
                ("See what people allowed applications", "Sehen, was Personen Anwendungen erlaubt haben"),
                ("Withdraw what people allowed applications", "Zurücknehmen, was Personen Anwendungen erlaubt haben"),
            ],
            Self::Sessions => {
                [("See who is signed in", "Sehen, wer angemeldet ist"), ("Sign people out", "Personen abmelden")]
            }
            Self::Keys => [
                ("See the server's signing keys", "Die Signaturschlüssel des Servers sehen"),
                ("Manage the server's signing keys", "Die Signaturschlüssel des Servers verwalten"),
            ],
            Self::Audit => [
                ("See what happened on the server", "Sehen, was auf dem Server geschehen ist"),
                ("Manage the record of what happened", "Das Protokoll des Servers verwalten"),
            ],
        }
    }
}

impl AdminScope {
    /// Every scope.
    pub fn all() -> impl Iterator<Item = Self> {
        AdminArea::ALL.into_iter().flat_map(|area| [area.read(), area.full()])
    }

    /// The name in requests and tokens.
    pub fn name(self) -> String {
        match self.access {
            AdminAccess::Read => format!("admin:{}:read", self.area.as_str()),
            AdminAccess::Full => format!("admin:{}", self.area.as_str()),
        }
    }

    /// The scope of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::all().find(|scope| scope.name() == name)
    }

    /// What the consent page says, in English and in German.
    pub fn description(self) -> (&'static str, &'static str) {
        let [read, full] = self.area.description();
        match self.access {
            AdminAccess::Read => read,
            AdminAccess::Full => full,
        }
    }
}

impl AdminScopes {
    /// Every scope: what an administrator in person holds.
    pub fn all() -> Self {
        Self(AdminScope::all().collect())
    }

    /// Those among `names`; other scopes are no concern of the admin API.
    pub fn among<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        Self(names.into_iter().filter_map(AdminScope::from_name).collect())
    }

    /// Whether they allow `wanted`: who may change may also look.
    pub fn allow(&self, wanted: AdminScope) -> bool {
        self.0.contains(&wanted) || self.0.contains(&wanted.area.full())
    }

    /// Whether they allow everything that `other` allows.
    pub fn cover(&self, other: &Self) -> bool {
        other.0.iter().all(|scope| self.allow(*scope))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those that are also in `other`.
    pub fn within(&self, other: &Self) -> Self {
        Self(AdminScope::all().filter(|scope| self.allow(*scope) && other.allow(*scope)).collect())
    }
}

/// The scopes as things that the consent page can show, and the admin API as a resource. Part of the program rather than
/// of the database: nobody can take the restriction away.
pub fn catalog(uri: ResourceUri) -> (Vec<Scope>, Resource) {
    let localized =
        |(en, de): (&str, &str)| [("en", en), ("de", de)].map(|(tag, text)| (tag.into(), text.into())).into();
    let scope =
        |scope: AdminScope| Scope { name: scope.name(), description: localized(scope.description()), published: false };
    let resource = Resource {
        uri,
        name: localized(("Administration of this server", "Verwaltung dieses Servers")),
        scopes: AdminScope::all().map(AdminScope::name).collect(),
        restricted: true,
    };
    (AdminScope::all().map(scope).collect(), resource)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_change_may_look_and_not_the_other_way_round() {
        let full = AdminScopes::among(["admin:users", "openid"]);
        assert!(full.allow(AdminArea::Users.read()) && full.allow(AdminArea::Users.full()));
        assert!(!full.allow(AdminArea::Clients.read()));
        let read = AdminScopes::among(["admin:users:read"]);
        assert!(read.allow(AdminArea::Users.read()) && !read.allow(AdminArea::Users.full()));
        assert!(full.cover(&read) && !read.cover(&full));
        assert_eq!(full.within(&read), read);
        assert!(AdminScopes::all().cover(&full));
    }

    #[test]
    fn every_scope_has_a_name_of_its_own() {
        for scope in AdminScope::all() {
            assert_eq!(AdminScope::from_name(&scope.name()), Some(scope));
        }
        assert_eq!(AdminScope::from_name("admin:users:write"), None);
        assert_eq!(AdminScope::all().count(), 12);
    }
}
