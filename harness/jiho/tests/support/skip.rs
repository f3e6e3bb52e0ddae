//! Tests that need a tool: skipped where it is missing, unless somebody has said that it must be there.

/// Says why a test is skipped.
///
/// # Panics
/// Where `JIHO_REQUIRE_TOOLS=1` is set.
pub(crate) fn skip(reason: &str) {
    assert!(std::env::var_os("JIHO_REQUIRE_TOOLS").is_none_or(|set| set != "1"), "JIHO_REQUIRE_TOOLS=1, but {reason}");
    eprintln!("skipped: {reason}");
}
