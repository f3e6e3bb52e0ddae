//! What is heard at a sound device, an arrival a line.

use serde::Serialize;

/// A time signal that arrived.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ListenRow {
    /// Of the device, from 1.
    pub channel: usize,
    /// Whose.
    pub code: u8,
    /// When its mark arrived, by this host's wall clock, in nanoseconds since 1970.
    pub unix_ns: i64,
    /// The normalised correlation coefficient, 0 to 1.
    pub score: f64,
    /// The signal against all else in its band.
    pub snr_db: f64,
    /// The highest sample about it, against the device's full scale; empty if there was none but silence.
    pub level_dbfs: Option<f64>,
    /// Whether it is one beyond doubt, whatever its neighbours say.
    pub sure: bool,
    /// Which other code arrived first on this channel in this period.
    pub behind_code: Option<u8>,
    /// By how much this one is later than that: no clock is in it.
    pub behind_ms: Option<f64>,
    /// How late it is by the wall clocks of this host and of its speaker, if that keeps to its own (`--at-wall-clock`).
    pub wall_delay_ms: Option<f64>,
}

impl ListenRow {
    /// For people.
    pub fn text(&self) -> String {
        let time = jiff::Timestamp::from_nanosecond(i128::from(self.unix_ns))
            .map(|at| at.strftime("%H:%M:%S%.3f").to_string());
        let level = self.level_dbfs.map_or_else(|| "silent".to_owned(), |level| format!("{level:+.0} dBFS"));
        let wall = self.wall_delay_ms.map(|delay| format!("  {delay:8.3} ms by the clock")).unwrap_or_default();
        let behind = match (self.behind_code, self.behind_ms) {
            (Some(code), Some(behind)) => format!("  {behind:+.3} ms after code {code}"),
            _ => String::new(),
        };
        let Self { channel, code, score, snr_db, .. } = self;
        format!(
            "{} #{channel}  code {code:2}  score {score:.2}  SNR {snr_db:+.0} dB  {level:>9}{wall}{behind}{}\n",
            time.unwrap_or_default(),
            if self.sure { "" } else { "  not sure by itself" }
        )
    }
}
