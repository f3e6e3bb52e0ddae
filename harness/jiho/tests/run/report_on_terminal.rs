//! What a person reads at the end of a run.

use crate::room::run;

/// Uncompressed, so that the figures do not depend on the codec's version.
const EXPERIMENT: &str = "name = \"terminal\"\n[run]\nduration = \"10s\"\n[media]\ncodec.l16 = {}\n\
    [link.default]\ndelay = \"15ms\"\n[link.far]\ndelay = \"60ms\"\n[link.broken]\ndown.loss = \"100%\"\n\
    [[speaker]]\nname = \"ana\"\n[[speaker]]\nname = \"ben\"\nlink = \"far\"\n\
    [[listener]]\nname = \"lena\"\n[[listener]]\nname = \"mei\"\nlink = \"broken\"\n\
    [[listener]]\nname = \"omar\"\nplayout.fixed = \"100ms\"\n";

#[test]
fn the_report_gives_the_matrix_and_says_in_words_what_it_means() {
    let ran = run(EXPERIMENT, &["--on", "sim"]);
    let report = ran.stdout.replace(ran.dir.to_str().unwrap(), "DIR");
    insta::assert_snapshot!(report);
    assert_eq!(ran.code, Some(3), "one listener heard nothing");
}
