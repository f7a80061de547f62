//! The scopes and resources that every test server knows.

use ostiary::clock::Clock;
use ostiary::model::catalog::{Resource, Scope};
use ostiary::model::id::ResourceUri;
use ostiary::storage::postgres::Postgres;

/// An API that knows `photos.read` and `photos.write`.
pub const PHOTOS_API: &str = "https://photos.example/api";
/// An API that knows `mail.read`.
pub const MAIL_API: &str = "https://mail.example/";
/// An API for clients that were given it by name.
pub const ADMIN_API: &str = "https://admin.example/";

const SCOPES: [(&str, &str, bool); 10] = [
    ("openid", "Know who you are", true),
    ("profile", "See your profile", true),
    ("email", "See your e-mail address", true),
    ("address", "See your postal address", true),
    ("phone", "See your telephone number", true),
    ("offline_access", "Go on when you are away", true),
    ("photos.read", "See your photos", true),
    ("photos.write", "Change your photos", true),
    ("mail.read", "Read your mail", true),
    ("admin.write", "Change this server", false),
];

pub async fn insert(postgres: &Postgres) {
    let now = Clock::system().now();
    for (name, description, published) in SCOPES {
        let description = [("en".to_owned(), description.to_owned())].into();
        let scope = Scope { name: name.to_owned(), description, published };
        postgres.upsert_scope(&scope, now).await.expect("a scope");
    }
    let resources: [(&str, &str, &[&str], bool); 3] = [
        (PHOTOS_API, "Photos", &["photos.read", "photos.write"], false),
        (MAIL_API, "Mail", &["mail.read"], false),
        (ADMIN_API, "Administration", &["admin.write"], true),
    ];
    for (uri, name, scopes, restricted) in resources {
        let resource = Resource {
            uri: ResourceUri::new(uri),
            name: [("en".to_owned(), name.to_owned())].into(),
            scopes: scopes.iter().map(|&scope| scope.to_owned()).collect(),
            restricted,
        };
        postgres.upsert_resource(&resource, now).await.expect("a resource");
    }
}
