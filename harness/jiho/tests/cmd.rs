//! What the commands print and how they exit, as recorded in `tests/cmd`. After an intended change:
//! `TRYCMD=overwrite cargo test -p jiho --test cmd`, and review the difference.

#[test]
fn commands_print_what_is_recorded() {
    // Help is wrapped to the terminal's width.
    trycmd::TestCases::new().env("COLUMNS", "100").case("tests/cmd/*.md");
}
