//! Lists of the admin API while what they list comes and goes: nothing that stays is missed, and nothing is seen twice.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::harness::{Admin, TestApp};

/// Goes through a list two at a time and lets `disturb` do something after each page, told what was seen so far.
async fn walk(
    admin: &Admin<'_>,
    list: &str,
    member: &str,
    mut disturb: impl AsyncFnMut(usize, &[String]),
) -> Vec<String> {
    let (mut seen, mut query) = (Vec::new(), "limit=2".to_owned());
    for page in 1..100 {
        let answer = admin.get(&format!("{list}?{query}")).await.document(200);
        let items = answer["items"].as_array().unwrap();
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        seen.extend(items.iter().map(|item| text(&item[member])));
        let Some(cursor) = answer["next"].as_str() else { return seen };
        query = format!("limit=2&cursor={cursor}");
        // A list that grows as fast as it is read has no end.
        if page <= 8 {
            disturb(page, &seen).await;
        }
    }
    panic!("{list} has no end: {seen:?}");
}

/// Everything that stayed was seen, and nothing was seen twice.
fn assert_whole(seen: &[String], stayed: &[String]) {
    let once: BTreeSet<&String> = seen.iter().collect();
    assert_eq!(once.len(), seen.len(), "something was seen twice: {seen:?}");
    let missed: Vec<_> = stayed.iter().filter(|name| !once.contains(name)).collect();
    assert!(missed.is_empty(), "{missed:?} of {seen:?}");
}

/// Ten things by name that stay, and between them some that go: `make` makes one, `path` says where it is.
async fn assert_whole_by_name(
    admin: &Admin<'_>,
    (list, member): (&str, &str),
    make: impl AsyncFn(&str) -> String,
    path: impl Fn(&str) -> String,
) {
    let (mut stayed, mut going) = (Vec::new(), Vec::new());
    for number in 0..10 {
        stayed.push(make(&format!("m{number}")).await);
        going.push(make(&format!("m{number}x")).await);
    }
    let mut going = going.into_iter();
    let seen = walk(admin, list, member, async |page, seen| {
        // One that was not seen yet, or was just seen; one in front of everything, one in the middle and one behind.
        let gone = if page % 2 == 0 { going.next_back() } else { going.next() };
        for name in gone.iter().chain(seen.last().filter(|last| last.ends_with('x'))) {
            assert!(matches!(admin.delete(&path(name)).await.status, 204 | 404), "{name}");
        }
        for name in [format!("a{page}"), format!("m{page}y"), format!("z{page}")] {
            make(&name).await;
        }
    })
    .await;
    assert_whole(&seen, &stayed);
}

#[tokio::test]
async fn clients_scopes_resources_and_people_are_listed_whole() {
    let app = TestApp::start().await;
    let admin = app.admin_of_everything().await;
    let client = async |name: &str| {
        let client = json!({"client_id": name, "grant_types": ["client_credentials"], "scopes": ["photos.read"]});
        admin.post("/admin/clients", &client).await.document(201);
        name.to_owned()
    };
    assert_whole_by_name(&admin, ("/admin/clients", "client_id"), client, |id| format!("/admin/clients/{id}")).await;
    let scope = async |name: &str| {
        admin.post("/admin/scopes", &json!({"name": name, "description": {"en": name}})).await.document(201);
        name.to_owned()
    };
    assert_whole_by_name(&admin, ("/admin/scopes", "name"), scope, |name| format!("/admin/scopes/{name}")).await;
    let resource = async |name: &str| {
        let uri = format!("https://{name}.example/");
        let resource = json!({"uri": uri, "name": {"en": name}, "scopes": []});
        admin.post("/admin/resources", &resource).await.document(201);
        uri
    };
    let path = |uri: &str| format!("/admin/resources/{}", uri.replace(':', "%3A").replace('/', "%2F"));
    assert_whole_by_name(&admin, ("/admin/resources", "uri"), resource, path).await;
    let person = async |name: &str| {
        let made = admin.post("/admin/users", &json!({"username": name})).await.document(201);
        made["subject"].as_str().unwrap().to_owned()
    };
    assert_whole_by_name(&admin, ("/admin/users", "subject"), person, |sub| format!("/admin/users/{sub}")).await;
}

#[tokio::test]
async fn tokens_sessions_and_events_are_listed_whole() {
    let app = TestApp::start().await;
    let (admin, alice, client) = (app.admin_of_everything().await, app.alice().await, app.web_client().await);
    // At one time and at different ones.
    let sign_in = async |n: usize| {
        app.pass_seconds(i64::from(n.is_multiple_of(3)));
        app.tokens(&client, &alice, "openid offline_access").await;
    };
    for number in 0..10 {
        sign_in(number).await;
        let scope = json!({"name": format!("scope.{number}"), "description": {"en": "-"}});
        admin.post("/admin/scopes", &scope).await.document(201);
    }
    for (list, member) in [("/admin/tokens", "id"), ("/admin/sessions", "sid"), ("/admin/audit-events", "id")] {
        let before = walk(&admin, list, member, async |_, _| {}).await;
        assert!(before.len() >= 10, "{list}: {before:?}");
        let mut gone = Vec::new();
        let mut going = before.iter().skip(3).step_by(4);
        let seen = walk(&admin, list, member, async |page, _| {
            sign_in(page).await;
            admin.patch("/admin/scopes/scope.0", &json!({"description": {"en": page.to_string()}})).await.document(200);
            let Some(id) = going.next().filter(|_| list == "/admin/sessions") else { return };
            assert_eq!(admin.delete(&format!("{list}/{id}")).await.status, 204);
            gone.push(id.clone());
        })
        .await;
        let stayed: Vec<_> = before.into_iter().filter(|id| !gone.contains(id)).collect();
        assert_whole(&seen, &stayed);
    }
}
