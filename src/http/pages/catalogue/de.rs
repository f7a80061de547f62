//! German.

use chrono::{Datelike, NaiveDate};

use super::{Account, Around, Consent, Consents, Demo, ErrorTexts, HandOver, Login, Logout, Messages, Shared};

pub(super) static MESSAGES: Messages = Messages {
    shared: Shared {
        cancel: "Abbrechen",
        privacy_policy: "Datenschutz",
        terms: "Nutzungsbedingungen",
        logo_of: Around("Logo von ", ""),
        this_is: Around("Sie sind bei ", ""),
        signed_in_as: "Angemeldet als",
        links: "Über diese Anwendung",
    },
    login: Login {
        title: "Anmelden",
        to_continue: Around("und weiter zu ", ""),
        to_account: "und weiter zu Ihrem Konto",
        reauthenticate_title: "Sind Sie es?",
        reauthenticate: Around("", " bittet Sie, sich noch einmal anzumelden."),
        username: "Benutzername",
        password: "Passwort",
        submit: "Anmelden",
        refused_title: "Das hat nicht geklappt",
        refused: "Benutzername oder Passwort stimmt nicht. Bitte versuchen Sie es noch einmal.",
        missing: "Bitte geben Sie Ihren Benutzernamen und Ihr Passwort ein.",
        throttled: "Zu viele Versuche. Bitte versuchen Sie es wieder",
        busy: "Gerade melden sich sehr viele an. Bitte versuchen Sie es gleich noch einmal.",
        expired: "Diese Seite war lange offen, deshalb beginnen wir von vorn. Nichts ist verloren: melden Sie sich \
                  einfach an.",
        other_account: "Die Anwendung erwartet ein anderes Konto als das, das hier angemeldet ist. Bitte melden Sie sich mit jenem an.",
        error_prefix: "Fehler: ",
        wait,
    },
    consent: Consent {
        title: Around("", " erlauben?"),
        not_you: "Nicht Sie?",
        what: "Was erlaubt wird",
        only_identity: "Sie wiedererkennen, an einer Kennung und sonst nichts",
        where_used: "Wo",
        how_long: "Wie lange",
        while_signed_in: "Solange Sie angemeldet sind.",
        while_away: "Auch in Ihrer Abwesenheit, bis Sie es widerrufen.",
        remembered: "Wir merken uns Ihre Antwort. Auf Ihrer Kontoseite können Sie sie jederzeit widerrufen.",
        returns_to: Around("Danach geht es zurück zu ", "."),
        allow: "Erlauben",
        deny: "Nicht erlauben",
    },
    account: Account {
        title: "Konto wählen",
        to_continue: Around("und weiter zu ", ""),
        go_on_as: Around("Weiter als ", ""),
        another: "Anderes Konto verwenden",
    },
    logout: Logout {
        title: "Abmelden?",
        asked_by: Around("", " möchte Sie hier abmelden."),
        not_asked: "Sie sind dabei, sich hier abzumelden.",
        effect: "Anwendungen, die Sie mit diesem Konto geöffnet haben, erfahren davon.",
        confirm: "Abmelden",
        done_title: "Sie sind abgemeldet",
        done: "Bis bald.",
        others: "Die Anwendungen, die Sie benutzt haben, erfahren gerade davon.",
        kept_title: "Sie bleiben angemeldet",
        kept: "Es wurde nichts geändert.",
        go_on: Around("Weiter zu ", ""),
        frame: "Abmeldung bei einer Anwendung",
    },
    hand_over: HandOver {
        title: "Einen Augenblick",
        explanation: Around("Es geht zurück zu ", ". Falls nichts geschieht, drücken Sie den Knopf."),
        submit: "Weiter",
    },
    consents: Consents {
        title: "Anwendungen mit Ihrer Erlaubnis",
        explanation: "Diese Anwendungen dürfen Ihr Konto verwenden. Widerrufen Sie, was Sie nicht mehr brauchen; es \
                      wirkt sofort.",
        none: "Sie haben noch keiner Anwendung etwas erlaubt. Sobald Sie das tun, erscheint sie hier.",
        since: Around("Seit ", ""),
        may: "Darf",
        offline: "Ihr Konto in Ihrer Abwesenheit verwenden",
        withdraw: "Widerrufen",
        withdraw_from: Around("", " die Erlaubnis entziehen"),
        withdrawn: Around("", " darf Ihr Konto nicht mehr verwenden."),
        sign_out: "Abmelden",
    },
    error: ErrorTexts {
        request_title: "Dieser Link funktioniert nicht",
        request: "Die Anwendung hat eine Anfrage geschickt, die wir nicht annehmen können. Sie haben nichts falsch \
                  gemacht: gehen Sie bitte zurück und versuchen Sie es noch einmal, oder wenden Sie sich an die Anwendung.",
        denied_title: "Nicht erlaubt",
        denied: "Sie haben hier keinen Zugang.",
        not_found_title: "Hier ist nichts",
        not_found: "Unter dieser Adresse gibt es keine Seite.",
        busy_title: "Zu viele Anmeldungen auf einmal",
        busy: "Aus Ihrem Netz wurden sehr viele Anmeldungen begonnen. Bitte warten Sie einige Minuten und versuchen Sie es \
               erneut.",
        unavailable_title: "Gleich wieder da",
        unavailable: "Ein Teil dieses Servers ist gerade nicht erreichbar. Bitte warten Sie ein wenig und versuchen Sie \
                      es dann noch einmal.",
        server_title: "Etwas ist schiefgegangen",
        server: "Der Fehler liegt bei uns. Bitte versuchen Sie es noch einmal; hilft das nicht, melden Sie es bitte.",
        lost_title: "Diese Anmeldung ist nicht mehr offen",
        lost: "Sie wurde in einem anderen Browser begonnen oder ist zu lange her. Bitte gehen Sie zurück zur Anwendung \
               und beginnen Sie neu.",
        finished_title: "Schon erledigt",
        finished: "Diese Anmeldung wurde bereits abgeschlossen. Bitte gehen Sie zurück zur Anwendung.",
        forged_title: "Bitte noch einmal",
        forged: "Wir konnten nicht sicher sein, dass dies von Ihnen kam, deshalb ist nichts geschehen. Öffnen Sie die \
                 Seite neu und wiederholen Sie es.",
        details: "Angaben für die Hilfe",
        code: "Fehler",
        description: "Beschreibung",
        support_id: "Hilfe-Kennung",
        support_hint: "Bitte nennen Sie diese Kennung, wenn Sie um Hilfe bitten.",
        again: "Noch einmal versuchen",
        back_to: Around("Zurück zu ", ""),
    },
    demo: Demo {
        title: "Beispielanwendung",
        lead: "Eine kleine Anwendung, die Ihr Passwort nie sieht. Sie schickt Sie zur Tür, und der Türhüter bürgt für \
               Sie.",
        steps_title: "Was beim Anmelden geschieht",
        steps: [
            "Die Anwendung denkt sich ein Geheimnis aus und schickt nur dessen Fingerabdruck mit (PKCE).",
            "Sie melden sich beim Server an und sagen, was die Anwendung sehen darf.",
            "Die Anwendung tauscht einen Code, der einmal gilt, gegen Token.",
            "Sie prüft Unterschrift, Aussteller, Empfänger, Nonce und Zeiten.",
        ],
        sign_in: "Anmelden",
        refresh: "Erneuern",
        sign_out: "Abmelden",
        hello: Around("Guten Tag, ", ""),
        verified: "ID-Token geprüft",
        refreshed: Around("Token erneuert. Bisherige Erneuerungen: ", "."),
        claims: "Angaben",
        claims_hint: "Was der Userinfo-Endpunkt über Sie sagt.",
        id_token: "ID-Token",
        id_token_hint: "Wer sich wann und wie angemeldet hat. Nur für diese Anwendung.",
        access_token: "Zugriffstoken",
        access_token_hint: "Das zeigt diese Anwendung einer Schnittstelle. Sie sehen es, weil dies ein Beispiel ist; \
                            eine echte Anwendung hält es geheim.",
        refresh_token: "Erneuerungstoken",
        refresh_token_hint: "Holt das nächste Zugriffstoken und wird bei jeder Verwendung ersetzt.",
        header: "Kopf",
        payload: "Inhalt",
        raw: "Wie es ankam",
        consents: "Was Sie erlaubt haben",
        failed_title: "Die Anmeldung wurde nicht abgeschlossen",
        failed: "Der Server oder diese Anwendung sagt:",
        back: "Zurück zum Anfang",
        only_in_development: "Diese Anwendung gibt es nur im Entwicklungsmodus.",
    },
    date,
};

fn wait(seconds: u64) -> String {
    match seconds {
        0 | 1 => "in 1 Sekunde".into(),
        2..60 => format!("in {seconds} Sekunden"),
        60 => "in 1 Minute".into(),
        _ => format!("in {} Minuten", seconds.div_ceil(60)),
    }
}

fn date(day: NaiveDate) -> String {
    let month = match day.month() {
        1 => "Januar",
        2 => "Februar",
        3 => "März",
        4 => "April",
        5 => "Mai",
        6 => "Juni",
        7 => "Juli",
        8 => "August",
        9 => "September",
        10 => "Oktober",
        11 => "November",
        _ => "Dezember",
    };
    format!("{}. {month} {}", day.day(), day.year())
}
