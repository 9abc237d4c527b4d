//! Amounts on the command line: shares, pairs of durations, and what is done to which nodes.

use std::str::FromStr;
use std::time::Duration;

use netsplit::config::parse_duration;

/// No single thing happens for longer.
const LONGEST: Duration = Duration::from_secs(30 * 24 * 3600);

/// No datagram takes longer.
const LONGEST_DELAY: Duration = Duration::from_secs(60);

/// What is wrong with an amount.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum AmountError {
    #[error("`{0}` is no share: write a percentage from 0% to 99%, such as '1%' or '0.5%'")]
    NoShare(String),
    #[error("`{text}` {message}: {hint}")]
    NoDuration { text: String, message: String, hint: String },
    #[error("`{text}` is not two durations: write {shape}")]
    NotTwo { text: String, shape: &'static str },
    #[error("`{0}` has a part of no length: write more than 0s")]
    NoLength(String),
    #[error("`{0}` is longer than anything that is played: write at most 720h, 30 days")]
    TooLong(String),
    #[error("`{0}` is longer than a datagram is under way: write at most 60s, or --loss for what never arrives")]
    TooLate(String),
    #[error("`{0}` names no node: write NODES:{1}, such as '{2}'")]
    NoNodes(String, &'static str, &'static str),
    #[error("`{0}` runs for longer than its stretch: write the time that it runs before the slash, such as 10ms/100ms")]
    MoreThanAll(String),
    #[error("`{0}` is no number of hours: write more than 0 and at most 100000, such as 1 or 0.5")]
    NoHours(String),
}

/// A share of datagrams, 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Share(pub(super) f64);

impl FromStr for Share {
    type Err = AmountError;

    fn from_str(text: &str) -> Result<Self, AmountError> {
        let percent: Option<f64> = text.trim().strip_suffix('%').and_then(|number| number.trim().parse().ok());
        let share = percent.filter(|percent| (0.0..=99.0).contains(percent)).map(|percent| Self(percent / 100.0));
        share.ok_or_else(|| AmountError::NoShare(text.to_owned()))
    }
}

/// A duration that is longer than nothing.
pub(super) fn length(text: &str) -> Result<Duration, AmountError> {
    let duration = duration(text)?;
    if duration.is_zero() { Err(AmountError::NoLength(text.to_owned())) } else { Ok(duration) }
}

/// For how long something may happen to a cluster: each second of it is played.
pub(super) fn lasting(text: &str) -> Result<Duration, AmountError> {
    let length = length(text)?;
    if length > LONGEST { Err(AmountError::TooLong(text.to_owned())) } else { Ok(length) }
}

/// How long a datagram may take: whoever wants one to take longer wants it lost.
pub(super) fn delay(text: &str) -> Result<Duration, AmountError> {
    let delay = duration(text)?;
    if delay > LONGEST_DELAY { Err(AmountError::TooLate(text.to_owned())) } else { Ok(delay) }
}

/// A duration.
pub(super) fn duration(text: &str) -> Result<Duration, AmountError> {
    parse_duration(text).map_err(|refusal| AmountError::NoDuration {
        text: text.to_owned(),
        message: refusal.message,
        hint: refusal.hint,
    })
}

/// `FIRST/SECOND`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pair(pub(super) Duration, pub(super) Duration);

impl Pair {
    fn of(text: &str, shape: &'static str) -> Result<Self, AmountError> {
        let not_two = || AmountError::NotTwo { text: text.to_owned(), shape };
        let (first, second) = text.split_once('/').ok_or_else(not_two)?;
        Ok(Self(lasting(first.trim())?, lasting(second.trim())?))
    }

    /// `--bursts MEAN/PAUSE`.
    pub(super) fn of_bursts(text: &str) -> Result<Self, AmountError> {
        Self::of(text, "the mean length of a burst and the mean pause between two, such as 500ms/60s")
    }

    /// `--flapping ON/OFF`.
    pub(super) fn of_flapping(text: &str) -> Result<Self, AmountError> {
        Self::of(text, "for how long it is cut and for how long whole, such as 20s/20s")
    }
}

/// `--stall NODE:DURATION`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StallText {
    pub(super) node: String,
    pub(super) length: Duration,
}

impl FromStr for StallText {
    type Err = AmountError;

    fn from_str(text: &str) -> Result<Self, AmountError> {
        let no_nodes = || AmountError::NoNodes(text.to_owned(), "DURATION", "n3:5s");
        let (node, length_text) = text.rsplit_once(':').filter(|(node, _)| !node.is_empty()).ok_or_else(no_nodes)?;
        Ok(Self { node: node.trim().to_owned(), length: lasting(length_text.trim())? })
    }
}

/// `--throttle NODES:RUN/OF`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ThrottleText {
    /// A node, a zone, or `all`.
    pub(super) nodes: String,
    pub(super) run: Duration,
    pub(super) of: Duration,
}

impl FromStr for ThrottleText {
    type Err = AmountError;

    fn from_str(text: &str) -> Result<Self, AmountError> {
        let no_nodes = || AmountError::NoNodes(text.to_owned(), "RUN/OF", "n3:10ms/100ms");
        let (nodes, rhythm) = text.rsplit_once(':').filter(|(nodes, _)| !nodes.is_empty()).ok_or_else(no_nodes)?;
        let Pair(run, of) =
            Pair::of(rhythm, "for how long it runs and of how much time, such as 10ms/100ms for 10 % of a processor")?;
        if run > of {
            return Err(AmountError::MoreThanAll(text.to_owned()));
        }
        Ok(Self { nodes: nodes.trim().to_owned(), run, of })
    }
}

/// `--hours H`.
pub(super) fn hours(text: &str) -> Result<Duration, AmountError> {
    let hours: Option<f64> = text.trim().parse().ok().filter(|hours| *hours > 0.0 && *hours <= 100_000.0);
    hours.map(|hours| Duration::from_secs_f64(hours * 3600.0)).ok_or_else(|| AmountError::NoHours(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn amounts_are_read_with_their_units() {
        assert_eq!("1%".parse(), Ok(Share(0.01)));
        assert_eq!(" 0.5 % ".parse(), Ok(Share(0.005)));
        assert_eq!(Pair::of_bursts("500ms/60s"), Ok(Pair(SECOND / 2, SECOND * 60)));
        assert_eq!("n3:5s".parse(), Ok(StallText { node: "n3".to_owned(), length: SECOND * 5 }));
        let throttle = ThrottleText { nodes: "zone:a".to_owned(), run: SECOND / 100, of: SECOND / 10 };
        assert_eq!("zone:a:10ms/100ms".parse(), Ok(throttle));
        assert_eq!(hours("0.5"), Ok(SECOND * 1800));
    }

    #[test]
    fn what_is_no_amount_is_refused_with_what_to_write() {
        let share = |text: &str| text.parse::<Share>().unwrap_err();
        let stall = |text: &str| text.parse::<StallText>().unwrap_err();
        let throttle = |text: &str| text.parse::<ThrottleText>().unwrap_err();
        for (error, said) in [
            (share("1"), "`1` is no share: write a percentage"),
            (share("100%"), "from 0% to 99%"),
            (share("-1%"), "is no share"),
            (share("NaN%"), "is no share"),
            (Pair::of_bursts("1s").unwrap_err(), "such as 500ms/60s"),
            (Pair::of_flapping("20/20").unwrap_err(), "`20` has no unit: write `20s` for seconds"),
            (Pair::of_flapping("20s/0s").unwrap_err(), "`0s` has a part of no length"),
            (lasting("721h").unwrap_err(), "write at most 720h, 30 days"),
            (delay("9999999999h").unwrap_err(), "write at most 60s, or --loss"),
            (stall("n3:9999h"), "write at most 720h, 30 days"),
            (stall("5s"), "`5s` names no node: write NODES:DURATION, such as 'n3:5s'"),
            (stall("n3:"), "is not a duration"),
            (throttle("n3:100ms/10ms"), "runs for longer than its stretch"),
            (throttle("n3:10ms"), "is not two durations"),
            (hours("0").unwrap_err(), "`0` is no number of hours"),
            (hours("x").unwrap_err(), "such as 1 or 0.5"),
        ] {
            assert!(error.to_string().contains(said), "{error}");
        }
    }
}
