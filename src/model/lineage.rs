//! What an access token stands and falls with.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::id::{ClientId, FamilyId};

/// Tokens and clients, each of which has to stand: if one of them is revoked or disabled, whatever came of it has ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lineage {
    /// The `jti` of every token; with it the family that it belongs to.
    pub tokens: Vec<String>,
    /// Every client, with the generation that it had: a later one ends what was issued under it.
    pub clients: Vec<(ClientId, i64)>,
}

impl Lineage {
    /// One token alone.
    pub fn of(jti: impl Into<String>) -> Self {
        Self { tokens: vec![jti.into()], clients: Vec::new() }
    }

    /// Whether there is nothing that could end.
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty() && self.clients.is_empty()
    }

    /// Both.
    pub fn and(mut self, other: Self) -> Self {
        self.tokens.extend(other.tokens);
        self.clients.extend(other.clients);
        self
    }

    /// The families of the tokens; machines' tokens have none.
    pub fn families(&self) -> impl Iterator<Item = FamilyId> {
        self.tokens.iter().filter_map(|jti| family_of(jti))
    }
}

/// The family that a token with that `jti` belongs to; a machine's token has none.
pub fn family_of(jti: &str) -> Option<FamilyId> {
    let (family, _) = jti.split_once('.')?;
    Uuid::try_parse(family).ok().map(FamilyId)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_have_what_each_has() {
        let (person, machine) = (Uuid::from_u128(7), ClientId::new("shop"));
        let of_machine = Lineage { clients: vec![(machine.clone(), 3)], ..Lineage::of("c3.abc") };
        let both = Lineage::of(format!("{person}.0")).and(of_machine);
        assert_eq!(both.tokens, [format!("{person}.0"), "c3.abc".to_owned()]);
        assert_eq!(both.clients, [(machine, 3)]);
        assert_eq!(both.families().collect::<Vec<_>>(), [FamilyId(person)]);
        assert!(!both.is_empty() && Lineage::default().is_empty());
    }
}
