use std::time::Duration;

use chrono::NaiveDate;

use super::applications::{ApplicationsPage, CredentialsView, RequestProblem, RequestState, RequestView, TypedRequest};
use super::consent::{ConsentPage, ConsentView, ConsentsPage, DetailView};
use super::device::{DeviceEnd, DeviceEndPage, DevicePage, DeviceProblem, EndOf};
use super::error::{ErrorKind, ErrorPage};
use super::form_post::form_post;
use super::hand_over::HandOverPage;
use super::locale::Locale;
use super::login::{LoginNotice, LoginPage, LoginProblem};
use super::logout::{LoggedOutPage, LogoutQuestionPage};
use super::password::{Occasion, PasswordEnd, PasswordEndPage, PasswordPage, PasswordProblem};
use super::requests::{PendingView, RequestsPage, RequestsRemark};
use super::select_account::SelectAccountPage;
use super::view::{ClientView, Guard, Link, PersonView, Site, Text};
use super::{asset, html};

fn client() -> ClientView {
    ClientView {
        id: "photo-box".into(),
        name: "Photo <Box>".into(),
        initial: "P".into(),
        uri: Some("https://photos.example/".into()),
        host: Some("photos.example".into()),
        logo: None,
        policy_uri: Some("https://photos.example/privacy".into()),
        tos_uri: Some("https://photos.example/terms".into()),
    }
}

fn logins<'a>(site: &'a Site, client: &'a ClientView) -> Vec<(&'static str, LoginPage<'a>)> {
    let form = Guard { interaction: Some("attempt"), csrf: "token" };
    let plain = LoginPage {
        site,
        form,
        client: Some(client),
        return_to: None,
        username: "",
        is_again: false,
        notice: None,
        problem: None,
    };
    let wait = LoginProblem::Throttled(Duration::from_secs(90));
    vec![
        ("login", plain),
        ("login-refused", LoginPage { username: "ada", problem: Some(LoginProblem::Refused), ..plain }),
        ("login-throttled", LoginPage { username: "ada", problem: Some(wait), ..plain }),
        ("login-expired", LoginPage { notice: Some(LoginNotice::Expired), ..plain }),
        ("login-again", LoginPage { username: "ada", is_again: true, ..plain }),
        ("login-account", LoginPage { client: None, ..plain }),
        ("login-console", LoginPage { client: None, return_to: Some("/console"), ..plain }),
    ]
}

fn consents(site: &Site) -> Vec<(&'static str, String)> {
    let (client, person) = (client(), PersonView::new("Ada Lovelace", "ada"));
    let form = Guard { interaction: Some("attempt"), csrf: "token" };
    let text = |text: &str| Text { text: text.to_owned(), lang: (site.locale != Locale::En).then_some("en") };
    let scopes = [text("See your name, picture and profile"), text("See your email address")];
    let resources = [text("Photo archive")];
    let consent = ConsentPage {
        site,
        form,
        client: &client,
        named_by: None,
        registered_itself: false,
        person: &person,
        account: "u.1",
        scopes: &scopes,
        resources: &resources,
        details: &[],
        is_offline: true,
        is_device: false,
        is_backchannel: false,
        binding_message: None,
        returns_to: "photos.example",
        switch_url: "/login?interaction=attempt&switch=1",
    };
    let members = vec![("limit".to_owned(), "12.50 <EUR>".to_owned())];
    let told = |sentence| DetailView { name: text("Payment"), sentence, members: members.clone() };
    let details = [told(Some(text("Pay 12.50 EUR to Ada"))), told(None)];
    let least = ConsentPage { scopes: &[], resources: &[], is_offline: false, ..consent };
    let since = NaiveDate::from_ymd_opt(2026, 11, 3).unwrap();
    let given = [
        ConsentView {
            client: client.clone(),
            scopes: scopes.to_vec(),
            resources: resources.to_vec(),
            is_offline: true,
            since,
        },
        ConsentView {
            client: ClientView { name: "Notes".into(), initial: "N".into(), host: None, ..client.clone() },
            scopes: Vec::new(),
            resources: Vec::new(),
            is_offline: false,
            since,
        },
    ];
    let list = ConsentsPage { site, csrf: "token", person: &person, consents: &given, withdrawn: Some("Old <app>") };
    vec![
        ("consent", html(&consent)),
        ("consent-least", html(&least)),
        ("consent-details", html(&ConsentPage { details: &details, scopes: &[], ..consent })),
        ("consent-device", html(&ConsentPage { is_device: true, ..consent })),
        ("consent-request", html(&ConsentPage { is_backchannel: true, binding_message: Some("W4 <x>"), ..consent })),
        ("consent-named-by", html(&ConsentPage { named_by: Some("agent.example:8443"), ..consent })),
        ("consent-registered-itself", html(&ConsentPage { registered_itself: true, ..consent })),
        ("select-account", html(&SelectAccountPage { site, form, client: &client, person: &person, account: "u.1" })),
        ("consents", html(&list)),
        ("consents-none", html(&ConsentsPage { consents: &[], withdrawn: None, ..list })),
    ]
}

fn passwords(site: &Site) -> Vec<(&'static str, String)> {
    let person = PersonView::new("", "ada");
    let occasion = Occasion::Invitation("ticket");
    let page = PasswordPage { site, csrf: "token", person: &person, occasion, min_length: 10, problem: None };
    let refused = PasswordPage { occasion: Occasion::Change, problem: Some(PasswordProblem::TooShort(10)), ..page };
    let end = |end| html(&PasswordEndPage { site, end });
    vec![
        ("password-invitation", html(&page)),
        ("password-reset", html(&PasswordPage { occasion: Occasion::Reset("ticket"), ..page })),
        ("password-change", html(&PasswordPage { occasion: Occasion::Change, ..page })),
        ("password-refused", html(&refused)),
        ("password-chosen", end(PasswordEnd::Chosen)),
        ("password-changed", end(PasswordEnd::Changed)),
        ("password-over", end(PasswordEnd::Over)),
    ]
}

fn applications(site: &Site) -> Vec<(&'static str, String)> {
    let person = PersonView::new("Ada Lovelace", "ada");
    let since = NaiveDate::from_ymd_opt(2026, 11, 3).unwrap();
    let request = |state, note: Option<&str>, client_id: Option<&str>| RequestView {
        id: "1".into(),
        name: "Old <app>".into(),
        state,
        since,
        note: note.map(Into::into),
        client_id: client_id.map(Into::into),
    };
    let requests = [
        request(RequestState::Open, None, None),
        request(RequestState::Approved, None, Some("notes")),
        request(RequestState::Refused, Some("<x>"), None),
        request(RequestState::Delivered, None, Some("notes")),
    ];
    let credentials = CredentialsView { client_id: "notes".into(), client_secret: Some("c&d".into()) };
    let typed = TypedRequest { name: "Old <app>".into(), kind: "browser".into(), ..TypedRequest::default() };
    let none = TypedRequest::default();
    let page = ApplicationsPage {
        site,
        csrf: "token",
        person: &person,
        requests: &[],
        credentials: None,
        typed: &none,
        problems: &[],
    };
    let wrong = ApplicationsPage { typed: &typed, problems: &[RequestProblem::RedirectUris], ..page };
    vec![
        ("applications-none", html(&page)),
        ("applications", html(&ApplicationsPage { requests: &requests, ..page })),
        ("applications-credentials", html(&ApplicationsPage { credentials: Some(&credentials), ..page })),
        ("applications-wrong", html(&wrong)),
    ]
}

fn devices(site: &Site) -> Vec<(&'static str, String)> {
    let plain = DevicePage { site, csrf: "token", shown: None, typed: "", problem: None };
    let wait = DeviceProblem::Throttled(Duration::from_secs(90));
    let end = |end| html(&DeviceEndPage { site, of: EndOf::Device, end });
    let of_request = |end| html(&DeviceEndPage { site, of: EndOf::Request, end });
    vec![
        ("device", html(&plain)),
        ("device-confirm", html(&DevicePage { shown: Some("WDJB-MJHT"), ..plain })),
        ("device-wrong", html(&DevicePage { typed: "<b>", problem: Some(DeviceProblem::Wrong), ..plain })),
        ("device-throttled", html(&DevicePage { problem: Some(wait), ..plain })),
        ("device-done", end(DeviceEnd::Approved)),
        ("device-refused", end(DeviceEnd::Refused)),
        ("device-over", end(DeviceEnd::Over)),
        ("request-done", of_request(DeviceEnd::Approved)),
        ("request-refused", of_request(DeviceEnd::Refused)),
        ("request-over", of_request(DeviceEnd::Over)),
    ]
}

fn requests(site: &Site) -> Vec<(&'static str, String)> {
    let person = PersonView::new("Ada Lovelace", "ada");
    let text = |text: &str| Text { text: text.to_owned(), lang: (site.locale != Locale::En).then_some("en") };
    let full = PendingView {
        id: "1".into(),
        client: client(),
        binding_message: Some("W4 <x>".into()),
        scopes: vec![text("See your email address")],
        resources: vec![text("Photo archive")],
        details: vec![DetailView { name: text("Payment"), sentence: None, members: Vec::new() }],
        is_offline: true,
        ends_in: 90,
    };
    let least = PendingView {
        binding_message: None,
        scopes: Vec::new(),
        resources: Vec::new(),
        details: Vec::new(),
        is_offline: false,
        ..full.clone()
    };
    let page = RequestsPage { site, csrf: "token", person: &person, requests: &[], remark: None };
    let remark = Some(RequestsRemark::Gone);
    vec![
        ("requests-none", html(&RequestsPage { remark: Some(RequestsRemark::Refused), ..page })),
        ("requests", html(&RequestsPage { requests: &[full, least], remark, ..page })),
    ]
}

/// Every page in every state that looks different.
fn every_page(locale: Locale) -> Vec<(&'static str, String)> {
    let site = Site::new(locale, "https://id.example");
    let (client, person) = (client(), PersonView::new("Ada Lovelace", "ada"));
    let mut pages: Vec<_> = logins(&site, &client).into_iter().map(|(name, page)| (name, html(&page))).collect();
    pages.extend(consents(&site));
    pages.extend(passwords(&site));
    pages.extend(applications(&site));
    pages.extend(devices(&site));
    pages.extend(requests(&site));
    let fields = [("state", "<x>".to_owned())];
    let question = LogoutQuestionPage {
        site: &site,
        action: "/logout",
        csrf: "token",
        client_name: Some(&client.name),
        person: Some(&person),
        fields: &fields,
    };
    let back = Link { url: "https://photos.example/".into(), name: client.name.clone() };
    let frames = ["https://photos.example/out?iss=https%3A%2F%2Fid.example&sid=1".to_owned()];
    let logged_out = LoggedOutPage { site: &site, is_kept: false, frames: &[], go_on: None };
    let error = ErrorPage {
        site: &site,
        kind: ErrorKind::Request,
        code: "invalid_request",
        description: "redirect_uri is not registered for this client",
        support_id: "7Kq2ZC0nT1mW",
        back: None,
    };
    let hand_over = HandOverPage {
        site: &site,
        location: "https://photos.example/cb?code=c&state=<x>",
        returns_to: "photos.example",
    };
    pages.extend([
        ("hand-over", html(&hand_over)),
        ("logout-question", html(&question)),
        ("logged-out", html(&logged_out)),
        ("logged-out-frames", html(&LoggedOutPage { frames: &frames, go_on: Some(&back), ..logged_out })),
        ("logged-out-kept", html(&LoggedOutPage { is_kept: true, ..logged_out })),
        ("error", html(&error)),
        ("error-unavailable", html(&ErrorPage { kind: ErrorKind::Unavailable, back: Some(&back), ..error })),
        ("form-post", form_post(&site, "https://photos.example/cb", &[("code", "c&d".into()), ("state", "\"".into())])),
    ]);
    pages
}

fn page(name: &str) -> String {
    every_page(Locale::En).into_iter().find(|(other, _)| *other == name).unwrap().1
}

#[test]
fn every_page_has_the_ids_that_the_certification_script_presses() {
    for (name, ids) in [
        ("login", &["username", "password", "login-submit", "login-cancel", "client-policy", "client-tos"][..]),
        ("consent", &["consent-allow", "consent-deny"]),
        ("device", &["user-code", "device-submit", "device-warning"]),
        ("device-confirm", &["device-code", "device-submit", "device-warning", "device-another"]),
        ("error", &["error-page", "error-code", "error-description"]),
        ("logout-question", &["logout-confirm", "logout-cancel"]),
        ("logged-out", &["logged-out"]),
    ] {
        let page = page(name);
        for id in ids {
            assert_eq!(page.matches(&format!(" id=\"{id}\"")).count(), 1, "{id} on {name}");
        }
    }
}

#[test]
fn a_logo_is_an_image_of_ours() {
    let site = Site::new(Locale::En, "https://id.example");
    let client = ClientView { logo: Some("/client-logo?client_id=a".into()), ..client() };
    let page = html(&logins(&site, &client).swap_remove(0).1);
    assert!(page.contains(r#"<img id="client-logo" src="/client-logo?client_id=a" alt="Logo of Photo "#), "{page}");
}

#[test]
fn every_page_stays_within_the_content_security_policy() {
    for locale in Locale::ALL {
        for (name, page) in every_page(locale) {
            assert!(page.contains(&format!("<html lang=\"{}\" data-display=\"page\">", locale.tag())), "{name}");
            assert!(page.contains(&asset::STYLE.to_string()), "{name}");
            for tag in page.split('<').filter_map(|rest| rest.split('>').next()) {
                assert!(
                    !tag.contains(" style=") && !tag.starts_with("style") && !tag.contains(" on"),
                    "{tag} on {name}"
                );
            }
            assert_eq!(page.matches("<script").count(), page.matches("<script src=\"/assets/").count(), "{name}");
            assert!(!page.contains("{}") && !page.contains("{{"), "{name}");
            assert_eq!(page.matches("<h1").count(), 1, "{name}");
        }
    }
}

#[test]
fn what_others_wrote_is_escaped() {
    for (name, page) in every_page(Locale::En) {
        for raw in ["Photo <Box>", "<x>", "Old <app>", "c&d"] {
            assert!(!page.contains(raw), "{raw} on {name}");
        }
    }
}

#[test]
fn the_two_languages_differ_on_every_page() {
    for (english, german) in every_page(Locale::En).into_iter().zip(every_page(Locale::De)) {
        let title =
            |page: &str| page.split("<title>").nth(1).and_then(|rest| rest.split('<').next()).map(str::to_owned);
        assert_ne!(title(&english.1), title(&german.1), "{}", english.0);
    }
}

#[test]
fn what_is_not_in_the_language_of_the_page_says_in_which_it_is() {
    for (locale, marked) in [(Locale::En, 0), (Locale::De, 1)] {
        let pages = every_page(locale);
        for name in ["consent", "consents"] {
            let (_, page) = pages.iter().find(|(other, _)| *other == name).unwrap();
            for text in ["See your email address", "Photo archive"] {
                assert_eq!(page.matches(&format!(" lang=\"en\">{text}<")).count(), marked, "{text} on {name}");
            }
        }
    }
}

#[test]
fn a_refused_sign_in_keeps_the_username_and_says_so() {
    let page = page("login-refused");
    assert!(page.contains(r#"role="alert" aria-live="assertive""#));
    assert!(page.contains("The username or the password is not right."));
    assert!(page.contains(r#"name="username" type="text" value="ada""#));
    assert!(page.contains("<title>Error: Sign in"));
    assert!(!page.contains(r#"name="password" type="password" value"#));
}

#[test]
fn a_response_by_post_carries_its_parameters_and_a_button() {
    let page = page("form-post");
    assert!(page.contains(r#"<form method="post" action="https://photos.example/cb" id="continue""#));
    assert!(page.contains(r#"name="code" value="c&#38;d""#));
    assert!(page.contains("type=\"submit\">Continue</button>"));
}

#[test]
fn a_hand_over_needs_neither_script_nor_patience() {
    let page = page("hand-over");
    let address = "https://photos.example/cb?code=c&#38;state=&#60;x&#62;";
    assert!(page.contains(&format!("<meta http-equiv=\"refresh\" content=\"0;url={address}\">")), "{page}");
    assert!(page.contains(&format!("id=\"continue\" href=\"{address}\"")), "{page}");
    assert!(!page.contains("<script"));
}

/// For looking at them: `OSTIARY_PAGES=/some/folder` receives every page, with the assets where a browser finds them.
#[test]
fn pages_can_be_looked_at() {
    let Some(folder) = std::env::var_os("OSTIARY_PAGES").map(std::path::PathBuf::from) else {
        return;
    };
    std::fs::create_dir_all(folder.join("assets")).unwrap();
    for asset in [&asset::STYLE, &asset::MARK, &asset::CONTINUE] {
        std::fs::write(folder.join(asset.to_string().trim_start_matches('/')), asset.content).unwrap();
    }
    for locale in Locale::ALL {
        for (name, page) in every_page(locale) {
            let page = page.replace("\"/assets/", "\"assets/");
            std::fs::write(folder.join(format!("{name}.{}.html", locale.tag())), page).unwrap();
        }
    }
}
