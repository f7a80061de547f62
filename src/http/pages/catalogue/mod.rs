//! Every sentence that people read, in every language.
//!
//! A language is one file with one [`Messages`] value: a sentence that a translation lacks does not compile. Sentences
//! are plain text, never markup; where a name belongs in the middle, the sentence is an [`Around`].

mod de;
mod en;

use chrono::NaiveDate;

use super::locale::Locale;

/// A sentence with a gap for a name: what comes before it, and what after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Around(pub &'static str, pub &'static str);

impl Around {
    /// The sentence with the gap filled.
    pub fn with(self, name: &str) -> String {
        format!("{}{name}{}", self.0, self.1)
    }
}

/// The sentences of one language.
#[derive(Clone, Copy)]
pub struct Messages {
    pub(crate) shared: Shared,
    pub(crate) login: Login,
    pub(crate) consent: Consent,
    pub(crate) account: Account,
    pub(crate) logout: Logout,
    pub(crate) hand_over: HandOver,
    pub(crate) consents: Consents,
    pub(crate) rooms: Rooms,
    pub(crate) applications: Applications,
    pub(crate) password: Password,
    pub(crate) device: Device,
    pub(crate) requests: Requests,
    pub(crate) error: ErrorTexts,
    pub(crate) demo: Demo,
    /// A day, written out.
    pub(crate) date: fn(NaiveDate) -> String,
}

impl Messages {
    /// The sentences in `locale`.
    pub fn of(locale: Locale) -> &'static Self {
        match locale {
            Locale::En => &en::MESSAGES,
            Locale::De => &de::MESSAGES,
        }
    }
}

#[derive(Clone, Copy)]
pub(crate) struct Shared {
    pub(crate) cancel: &'static str,
    pub(crate) privacy_policy: &'static str,
    pub(crate) terms: &'static str,
    /// Reads out the alternative text of a client's logo.
    pub(crate) logo_of: Around,
    /// At the foot of each page: whose door this is.
    pub(crate) this_is: Around,
    pub(crate) signed_in_as: &'static str,
    pub(crate) links: &'static str,
}

#[derive(Clone, Copy)]
pub(crate) struct Login {
    pub(crate) title: &'static str,
    pub(crate) to_continue: Around,
    pub(crate) to_account: &'static str,
    pub(crate) to_console: &'static str,
    pub(crate) to_console_again: &'static str,
    pub(crate) reauthenticate_title: &'static str,
    pub(crate) reauthenticate: Around,
    pub(crate) username: &'static str,
    pub(crate) password: &'static str,
    pub(crate) submit: &'static str,
    pub(crate) refused_title: &'static str,
    pub(crate) refused: &'static str,
    pub(crate) missing: &'static str,
    pub(crate) throttled: &'static str,
    pub(crate) busy: &'static str,
    pub(crate) expired: &'static str,
    pub(crate) other_account: &'static str,
    /// Before the title of a page that shows an error, so that a screen reader says it first.
    pub(crate) error_prefix: &'static str,
    /// "in 40 seconds", "in 3 minutes".
    pub(crate) wait: fn(u64) -> String,
}

#[derive(Clone, Copy)]
pub(crate) struct Consent {
    pub(crate) title: Around,
    /// Around the host of a client that nobody registered.
    pub(crate) named_by: Around,
    /// Of a client that registered itself.
    pub(crate) registered_itself: &'static str,
    pub(crate) not_you: &'static str,
    pub(crate) what: &'static str,
    pub(crate) only_identity: &'static str,
    pub(crate) where_used: &'static str,
    pub(crate) how_long: &'static str,
    pub(crate) while_signed_in: &'static str,
    pub(crate) while_away: &'static str,
    pub(crate) remembered: &'static str,
    /// In its place where something is asked for in particular.
    pub(crate) each_time: &'static str,
    pub(crate) returns_to: Around,
    pub(crate) allow: &'static str,
    pub(crate) deny: &'static str,
}

#[derive(Clone, Copy)]
pub(crate) struct Account {
    pub(crate) title: &'static str,
    pub(crate) to_continue: Around,
    pub(crate) go_on_as: Around,
    pub(crate) another: &'static str,
}

#[derive(Clone, Copy)]
pub(crate) struct Logout {
    pub(crate) title: &'static str,
    pub(crate) asked_by: Around,
    pub(crate) not_asked: &'static str,
    pub(crate) effect: &'static str,
    pub(crate) confirm: &'static str,
    pub(crate) done_title: &'static str,
    pub(crate) done: &'static str,
    pub(crate) others: &'static str,
    pub(crate) kept_title: &'static str,
    pub(crate) kept: &'static str,
    pub(crate) go_on: Around,
    /// The title of the frame that tells one application.
    pub(crate) frame: &'static str,
}

#[derive(Clone, Copy)]
pub(crate) struct HandOver {
    pub(crate) title: &'static str,
    pub(crate) explanation: Around,
    pub(crate) submit: &'static str,
}

#[derive(Clone, Copy)]
pub(crate) struct Consents {
    pub(crate) title: &'static str,
    pub(crate) explanation: &'static str,
    pub(crate) none: &'static str,
    pub(crate) since: Around,
    pub(crate) may: &'static str,
    pub(crate) offline: &'static str,
    pub(crate) withdraw: &'static str,
    pub(crate) withdraw_from: Around,
    pub(crate) withdrawn: Around,
    pub(crate) sign_out: &'static str,
}

#[derive(Clone, Copy)]
pub(crate) struct Rooms {
    /// What a screen reader calls the links between the account pages.
    pub(crate) label: &'static str,
}

#[derive(Clone, Copy)]
pub(crate) struct Applications {
    pub(crate) title: &'static str,
    pub(crate) explanation: &'static str,
    pub(crate) none: &'static str,
    pub(crate) open: &'static str,
    pub(crate) approved: &'static str,
    pub(crate) refused: &'static str,
    pub(crate) delivered: &'static str,
    pub(crate) since: Around,
    pub(crate) withdraw: &'static str,
    pub(crate) fetch: &'static str,
    pub(crate) credentials: &'static str,
    pub(crate) only_now: &'static str,
    pub(crate) no_secret: &'static str,
    pub(crate) ask_title: &'static str,
    pub(crate) name: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) on_server: &'static str,
    pub(crate) in_browser: &'static str,
    pub(crate) installed: &'static str,
    pub(crate) redirect_uris: &'static str,
    pub(crate) redirect_uris_hint: &'static str,
    pub(crate) reason: &'static str,
    pub(crate) ask: &'static str,
    pub(crate) wrong_name: &'static str,
    pub(crate) wrong_redirect_uris: &'static str,
    pub(crate) wrong_reason: &'static str,
    pub(crate) too_many: &'static str,
    pub(crate) gone: &'static str,
}

#[derive(Clone, Copy)]
pub(crate) struct Password {
    pub(crate) invitation_title: &'static str,
    pub(crate) invitation: &'static str,
    pub(crate) reset_title: &'static str,
    pub(crate) reset: &'static str,
    pub(crate) change_title: &'static str,
    pub(crate) change: &'static str,
    pub(crate) current: &'static str,
    pub(crate) new: &'static str,
    pub(crate) repeat: &'static str,
    /// Below the field: how many characters.
    pub(crate) hint: Around,
    pub(crate) submit: &'static str,
    pub(crate) missing: &'static str,
    pub(crate) different: &'static str,
    pub(crate) too_short: Around,
    pub(crate) too_long: &'static str,
    pub(crate) common: &'static str,
    pub(crate) like_username: &'static str,
    pub(crate) unproven: &'static str,
    pub(crate) busy: &'static str,
    pub(crate) done_title: &'static str,
    pub(crate) chosen: &'static str,
    pub(crate) changed: &'static str,
    pub(crate) to_account: &'static str,
    pub(crate) over_title: &'static str,
    pub(crate) over: &'static str,
}

#[derive(Clone, Copy)]
pub(crate) struct Device {
    pub(crate) title: &'static str,
    pub(crate) explanation: &'static str,
    pub(crate) code: &'static str,
    pub(crate) hint: &'static str,
    pub(crate) submit: &'static str,
    /// Above a code that came with a link.
    pub(crate) confirm_title: &'static str,
    pub(crate) confirm: &'static str,
    pub(crate) is_mine: &'static str,
    pub(crate) another: &'static str,
    /// Against somebody who sends their own code to another person.
    pub(crate) warning: &'static str,
    pub(crate) wrong: &'static str,
    /// On the consent page.
    pub(crate) on_a_device: &'static str,
    pub(crate) afterwards: &'static str,
    pub(crate) done_title: &'static str,
    pub(crate) done: &'static str,
    pub(crate) refused_title: &'static str,
    pub(crate) refused: &'static str,
    pub(crate) over_title: &'static str,
    pub(crate) over: &'static str,
}

#[derive(Clone, Copy)]
pub(crate) struct Requests {
    pub(crate) title: &'static str,
    pub(crate) explanation: &'static str,
    pub(crate) none: &'static str,
    /// Before what the application shows too.
    pub(crate) compare: &'static str,
    /// Around when the request ends.
    pub(crate) ends: Around,
    pub(crate) look: &'static str,
    pub(crate) look_at: Around,
    pub(crate) refuse: &'static str,
    pub(crate) refuse_of: Around,
    pub(crate) refused: &'static str,
    pub(crate) gone: &'static str,
    /// On the consent page.
    pub(crate) elsewhere: &'static str,
    pub(crate) warning: &'static str,
    pub(crate) afterwards: &'static str,
    pub(crate) done_title: &'static str,
    pub(crate) done: &'static str,
    pub(crate) refused_title: &'static str,
    pub(crate) refused_end: &'static str,
    pub(crate) over_title: &'static str,
    pub(crate) over: &'static str,
    pub(crate) back: &'static str,
}

#[derive(Clone, Copy)]
pub(crate) struct ErrorTexts {
    pub(crate) request_title: &'static str,
    pub(crate) request: &'static str,
    pub(crate) denied_title: &'static str,
    pub(crate) denied: &'static str,
    pub(crate) not_found_title: &'static str,
    pub(crate) not_found: &'static str,
    pub(crate) busy_title: &'static str,
    pub(crate) busy: &'static str,
    pub(crate) unavailable_title: &'static str,
    pub(crate) unavailable: &'static str,
    pub(crate) server_title: &'static str,
    pub(crate) server: &'static str,
    pub(crate) lost_title: &'static str,
    pub(crate) lost: &'static str,
    pub(crate) finished_title: &'static str,
    pub(crate) finished: &'static str,
    pub(crate) forged_title: &'static str,
    pub(crate) forged: &'static str,
    pub(crate) details: &'static str,
    pub(crate) code: &'static str,
    pub(crate) description: &'static str,
    pub(crate) support_id: &'static str,
    pub(crate) support_hint: &'static str,
    pub(crate) again: &'static str,
    pub(crate) back_to: Around,
}

#[derive(Clone, Copy)]
pub(crate) struct Demo {
    pub(crate) title: &'static str,
    pub(crate) lead: &'static str,
    pub(crate) steps_title: &'static str,
    pub(crate) steps: [&'static str; 4],
    pub(crate) sign_in: &'static str,
    pub(crate) refresh: &'static str,
    pub(crate) sign_out: &'static str,
    pub(crate) hello: Around,
    pub(crate) verified: &'static str,
    pub(crate) refreshed: Around,
    pub(crate) claims: &'static str,
    pub(crate) claims_hint: &'static str,
    pub(crate) id_token: &'static str,
    pub(crate) id_token_hint: &'static str,
    pub(crate) access_token: &'static str,
    pub(crate) access_token_hint: &'static str,
    pub(crate) refresh_token: &'static str,
    pub(crate) refresh_token_hint: &'static str,
    pub(crate) header: &'static str,
    pub(crate) payload: &'static str,
    pub(crate) raw: &'static str,
    pub(crate) consents: &'static str,
    pub(crate) failed_title: &'static str,
    pub(crate) failed: &'static str,
    pub(crate) not_renewed_title: &'static str,
    /// The tokens are of no more use.
    pub(crate) is_over: &'static str,
    /// The tokens may still be good.
    pub(crate) is_kept: &'static str,
    pub(crate) back: &'static str,
    pub(crate) only_in_development: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_language_writes_its_own_days() {
        let day = NaiveDate::from_ymd_opt(2026, 3, 9).unwrap();
        assert_eq!((Messages::of(Locale::En).date)(day), "9 March 2026");
        assert_eq!((Messages::of(Locale::De).date)(day), "9. März 2026");
    }

    #[test]
    fn a_wait_is_said_in_the_largest_fitting_unit() {
        let english = Messages::of(Locale::En).login.wait;
        assert_eq!(
            [english(1), english(59), english(60), english(61)],
            ["in 1 second", "in 59 seconds", "in 1 minute", "in 2 minutes"]
        );
        let german = Messages::of(Locale::De).login.wait;
        assert_eq!([german(1), german(45), german(120)], ["in 1 Sekunde", "in 45 Sekunden", "in 2 Minuten"]);
    }

    #[test]
    fn a_gap_is_filled_as_it_is() {
        assert_eq!(Around("to ", ".").with("<b>"), "to <b>.");
    }
}
