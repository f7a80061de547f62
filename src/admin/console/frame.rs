//! What every page shows: the server, who is signed in, the way to the other pages, and what is to be said after a form.

use super::visit::Visit;
use crate::http::pages::view::{PersonView, Site};

/// The frame of a page.
pub(super) struct Frame {
    /// The server.
    pub(super) site: Site,
    /// Who is signed in.
    pub(super) person: PersonView,
    /// What forms carry.
    pub(super) csrf: String,
    /// What is to be said after a form.
    pub(super) said: Option<String>,
    room: Room,
}

/// A part of the console.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    /// The first page.
    Overview,
    /// Registered clients.
    Clients,
    /// People.
    People,
    /// Sign-ins.
    Sessions,
    /// What people allowed.
    Consents,
    /// What was issued.
    Tokens,
    /// Clients that people ask for.
    Requests,
    /// Tokens with which clients register themselves.
    InitialAccessTokens,
    /// Registered scopes.
    Scopes,
    /// Registered resources.
    Resources,
    /// Registered types of authorization details.
    DetailsTypes,
    /// Signing keys.
    Keys,
    /// What was done.
    Audit,
    /// None of them.
    Elsewhere,
}

impl Room {
    /// Those that the navigation names, in its order.
    const NAMED: [Self; 13] = [
        Self::Overview,
        Self::Clients,
        Self::Requests,
        Self::InitialAccessTokens,
        Self::People,
        Self::Sessions,
        Self::Consents,
        Self::Tokens,
        Self::Scopes,
        Self::Resources,
        Self::DetailsTypes,
        Self::Keys,
        Self::Audit,
    ];

    /// What it is called.
    pub(super) fn title(self) -> &'static str {
        self.entry().1
    }

    /// Where it is.
    pub(super) fn path(self) -> &'static str {
        self.entry().0
    }

    fn entry(self) -> (&'static str, &'static str) {
        match self {
            Self::Overview => (super::PATH, "Overview"),
            Self::Clients => ("/console/clients", "Clients"),
            Self::People => ("/console/people", "People"),
            Self::Sessions => ("/console/sessions", "Sessions"),
            Self::Consents => ("/console/consents", "Consents"),
            Self::Tokens => ("/console/tokens", "Tokens"),
            Self::Requests => ("/console/requests", "Requests"),
            Self::InitialAccessTokens => ("/console/initial-access-tokens", "Registration"),
            Self::Scopes => ("/console/scopes", "Scopes"),
            Self::Resources => ("/console/resources", "Resources"),
            Self::DetailsTypes => ("/console/details-types", "Details"),
            Self::Keys => ("/console/keys", "Keys"),
            Self::Audit => ("/console/audit", "Audit"),
            Self::Elsewhere => ("", ""),
        }
    }

    /// The id of its link.
    pub(super) fn id(self) -> String {
        format!("room-{}", self.title().to_ascii_lowercase().replace(' ', "-"))
    }
}

impl Frame {
    pub(super) fn new(visit: &Visit, room: Room, said: Option<String>) -> Self {
        Self { site: visit.site.clone(), person: visit.person.clone(), csrf: visit.csrf.clone(), said, room }
    }

    /// What the navigation names.
    pub(super) fn rooms(&self) -> [Room; Room::NAMED.len()] {
        Room::NAMED
    }

    /// Whether the page is in that room.
    pub(super) fn is_here(&self, room: &Room) -> bool {
        self.room == *room
    }
}
