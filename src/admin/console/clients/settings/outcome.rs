//! What comes of a sign-in: how people sign in, tokens, logout, lifetimes.

use super::algs_or;
use crate::admin::console::field::{Choice, Field, Group, Kind};
use crate::model::client::{SubjectType, TokenDeliveryMode};
use crate::model::profile::Profile;
use crate::model::signing_alg::SigningAlg;

pub(super) fn sign_in() -> Group {
    let profile = |profile: Profile| {
        Choice::new(
            profile.as_str(),
            match profile {
                Profile::Oauth2 => "OAuth 2.1",
                Profile::Oidc => "OpenID Connect",
                Profile::Fapi2Security => "FAPI 2.0 Security Profile",
                Profile::Fapi2MessageSigning => "FAPI 2.0 Message Signing",
            },
        )
    };
    let subjects = |subject_type: SubjectType| {
        Choice::new(
            subject_type.as_str(),
            match subject_type {
                SubjectType::Public => "By the identifier that all of these applications know",
                SubjectType::Pairwise => "By an identifier for its own sector alone",
            },
        )
    };
    Group {
        title: "Signing in",
        hint: "",
        fields: vec![
            Field::new("profile", "Rules", "", Kind::Choice(Profile::ALL.map(profile).into())),
            Field::new(
                "subject_type",
                "It knows people",
                "Whatever is changed here, the application takes everybody for a stranger afterwards.",
                Kind::Choice(SubjectType::ALL.map(subjects).into()),
            ),
            Field::new(
                "sector_identifier_uri",
                "Where the redirect URIs of its sector are",
                "The https address of a JSON array, whose host is the sector. Empty: the one host of its redirect URIs.",
                Kind::Line,
            ),
            Field::new(
                "default_max_age",
                "Oldest sign-in, in seconds",
                "When a request does not say. Nothing: as old as the session.",
                Kind::Number,
            ),
            Field::new("require_auth_time", "ID tokens always say when the person signed in", "", Kind::Switch),
            Field::new(
                "default_acr_values",
                "Authentication context classes",
                "When a request names none; one on each line.",
                Kind::Lines,
            ),
        ],
    }
}

pub(super) fn tokens() -> Group {
    let algs = || SigningAlg::ALL.map(|alg| Choice::new(alg.as_str(), alg.as_str())).to_vec();
    let or_none = algs_or("Not signed: plain JSON");
    let or_default = algs_or("What its rules have for that");
    Group {
        title: "Tokens",
        hint: "",
        fields: vec![
            Field::new(
                "access_token_format",
                "Access tokens",
                "",
                Kind::Choice(vec![
                    Choice::new("jwt", "JWT: APIs can check them by themselves"),
                    Choice::new("opaque", "Opaque: APIs ask here"),
                ]),
            ),
            Field::new("access_token_signed_response_alg", "Access tokens are signed with", "", Kind::Choice(algs())),
            Field::new(
                "id_token_signed_response_alg",
                "ID and logout tokens are signed with",
                "",
                Kind::Choice(algs()),
            ),
            Field::new(
                "authorization_signed_response_alg",
                "Authorization responses are signed with",
                "Where the request asks for a signed one (JARM).",
                Kind::Choice(algs()),
            ),
            Field::new("userinfo_signed_response_alg", "Userinfo answers are signed with", "", Kind::Choice(or_none)),
            Field::new(
                "introspection_signed_response_alg",
                "Introspection answers are signed with",
                "Where the API asks for a JWT (RFC 9701).",
                Kind::Choice(or_default),
            ),
            Field::new(
                "require_signed_introspection_response",
                "Its introspection answers are always signed",
                "Else when it asks for that.",
                Kind::Switch,
            ),
        ],
    }
}

pub(super) fn logout() -> Group {
    let uri = |name, label, hint| Field::new(name, label, hint, Kind::Line);
    let switch = |name, label| Field::new(name, label, "", Kind::Switch);
    Group {
        title: "Hearing of sign-outs",
        hint: "",
        fields: vec![
            uri("backchannel_logout_uri", "Back-channel logout", "We tell this address, server to server."),
            switch("backchannel_logout_session_required", "Say which session ended"),
            uri(
                "frontchannel_logout_uri",
                "Front-channel logout",
                "The browser loads it in a frame; of the origin of a redirect URI.",
            ),
            switch("frontchannel_logout_session_required", "Add iss and sid to it"),
        ],
    }
}

pub(super) fn elsewhere() -> Group {
    let mode = |mode: TokenDeliveryMode| {
        Choice::new(
            mode.as_str(),
            match mode {
                TokenDeliveryMode::Poll => "It asks again and again (poll)",
                TokenDeliveryMode::Ping => "It is told, and asks then (ping)",
            },
        )
    };
    let modes = [Choice::new("", "It does not ask people who are elsewhere")];
    Group {
        title: "Asking people who are elsewhere",
        hint: "With the grant ciba.",
        fields: vec![
            Field::new(
                "backchannel_token_delivery_mode",
                "How it learns of a decision",
                "",
                Kind::Choice(modes.into_iter().chain(TokenDeliveryMode::ALL.map(mode)).collect()),
            ),
            Field::new(
                "backchannel_client_notification_endpoint",
                "Where it is told",
                "An https address of its own, for the mode ping.",
                Kind::Line,
            ),
        ],
    }
}

pub(super) fn lifetimes() -> Group {
    let seconds = |name, label, hint| Field::new(name, label, hint, Kind::Number);
    Group {
        title: "Lifetimes of its own, in seconds",
        hint: "What is left empty is as long as for every client.",
        fields: vec![
            seconds("lifetimes/access_token", "Access token", ""),
            seconds("lifetimes/id_token", "ID token", ""),
            seconds("lifetimes/authorization_code", "Authorization code", "60 at most."),
            seconds("lifetimes/refresh_idle", "Refresh token that is not used", ""),
            seconds("lifetimes/refresh_absolute", "Refresh token, however much it is used", ""),
            seconds(
                "lifetimes/refresh_grace",
                "Refresh token after its rotation",
                "So long the old one still gets the same successor; 0 is allowed.",
            ),
        ],
    }
}
