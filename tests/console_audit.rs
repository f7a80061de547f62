//! `/console/audit`: what was done, with names.

use crate::harness::TestApp;

#[tokio::test]
async fn what_an_administrator_did_is_listed_with_names() {
    let app = TestApp::start().await;
    let (root, alice) = (app.administrator().await, app.alice().await);
    let mut browser = app.at_console(&root).await;
    let person = format!("/console/people/{}", alice.sub());
    let page = browser.open(&person).await;
    let question = browser.click(&page, "person-sign-out").await;
    browser.submit(&question, "confirm", &[]).await;
    let list = browser.open("/console/audit").await;
    list.assert_shown("/console/audit", &["audit", "event", "person", "client"]);
    let rows = list.texts("#audit tbody tr");
    assert!(rows.len() == 1 && rows[0].contains("Person signed out everywhere"), "{rows:?}");
    assert!(rows[0].contains("alice") && rows[0].contains("root") && rows[0].contains("127.0.0.1"), "{rows:?}");
    let other = browser.submit(&list, "search-submit", &[("event", "client.deleted")]).await;
    other.assert_shown("/console/audit", &["none"]);
    let hers = browser.submit(&list, "search-submit", &[("person", alice.sub()), ("event", "person.signed_out")]).await;
    assert_eq!(hers.texts("#audit tbody tr").len(), 1, "{hers:?}");
}
