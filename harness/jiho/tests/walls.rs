//! The walls between the crates, as ARCHITECTURE.md's permission table has them: who may depend on whom, and that what
//! is pure cannot reach a clock, a socket, a file, a device or a thread.
#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests are tests

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// The crates that touch nothing but their arguments, and their folders.
const PURE: [(&str, &str); 4] = [
    ("jiho-analysis", "analysis"),
    ("jiho-proto", "probes/proto"),
    ("jiho-relay", "harness/relay"),
    ("jiho-sim", "harness/sim"),
];

/// Doors to the world outside: no pure crate may reach them, through whatever dependency.
const DOORS: [&str; 8] = ["tokio", "mio", "socket2", "nix", "cpal", "alsa", "hound", "jiho-drivers"];

/// Which of our crates each may use, and which more its tests may.
const MAY_USE: [(&str, &[&str], &[&str]); 7] = [
    ("jiho-analysis", &[], &[]),
    ("jiho-proto", &["jiho-analysis"], &[]),
    ("jiho-relay", &["jiho-analysis", "jiho-proto"], &[]),
    ("jiho-sim", &["jiho-analysis", "jiho-proto"], &["jiho-relay"]),
    ("jiho-drivers", &["jiho-analysis", "jiho-proto"], &[]),
    ("jiho", &["jiho-analysis", "jiho-proto", "jiho-relay", "jiho-sim", "jiho-drivers"], &[]),
    ("jiho-fuzz", &["jiho-analysis", "jiho-proto", "jiho-drivers", "jiho"], &[]),
];

/// What every pure crate's clippy.toml has to disallow.
const DISALLOWED: [&str; 14] = [
    "std::time::Instant::now",
    "std::time::SystemTime::now",
    "std::thread::sleep",
    "std::thread::spawn",
    "std::fs::read",
    "std::fs::read_to_string",
    "std::fs::write",
    "std::env::var",
    "std::fs::File",
    "std::net::UdpSocket",
    "std::net::TcpStream",
    "std::net::TcpListener",
    "std::collections::HashMap",
    "std::collections::HashSet",
];

#[test]
fn no_pure_crate_reaches_the_world_through_a_dependency() {
    for (name, _) in PURE {
        let tree = cargo(&["tree", "--locked", "-p", name, "-e", "normal", "--prefix", "none"]);
        let packages: BTreeSet<&str> = tree.lines().filter_map(|line| line.split_whitespace().next()).collect();
        assert!(packages.contains(name), "cargo tree does not name {name} itself: {tree}");
        for door in DOORS {
            assert!(
                !packages.contains(door),
                "{name} is pure and depends on {door}: see `cargo tree -p {name} -i {door}`"
            );
        }
    }
}

#[test]
fn our_crates_depend_on_each_other_one_way_only() {
    let metadata: Value = serde_json::from_str(&cargo(&["metadata", "--no-deps", "--format-version", "1"])).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let ours: BTreeSet<&str> = packages.iter().map(|package| package["name"].as_str().unwrap()).collect();
    assert_eq!(
        ours,
        MAY_USE.iter().map(|(name, ..)| *name).collect(),
        "a crate without a row in MAY_USE, or the reverse"
    );

    for package in packages {
        let name = package["name"].as_str().unwrap();
        let (_, uses, tests_use) = MAY_USE.iter().find(|(row, ..)| *row == name).unwrap();
        for dependency in package["dependencies"].as_array().unwrap() {
            let other = dependency["name"].as_str().unwrap();
            let for_tests = dependency["kind"] == "dev";
            let allowed = uses.contains(&other) || (for_tests && tests_use.contains(&other));
            assert!(!ours.contains(other) || allowed, "{name} must not depend on {other}");
        }
    }
}

#[test]
fn every_pure_crate_disallows_what_reaches_the_world() {
    for (name, folder) in PURE {
        let clippy = toml_file(&root().join(folder).join("clippy.toml"));
        let disallowed: BTreeSet<&str> = ["disallowed-methods", "disallowed-types"]
            .into_iter()
            .filter_map(|key| clippy.get(key)?.as_array())
            .flatten()
            .map(|entry| entry["path"].as_str().unwrap())
            .collect();
        for path in DISALLOWED {
            assert!(disallowed.contains(path), "{folder}/clippy.toml does not disallow {path}");
        }
        let manifest = toml_file(&root().join(folder).join("Cargo.toml"));
        let inherits = manifest.get("lints").and_then(|lints| lints.get("workspace")).and_then(toml::Value::as_bool);
        assert_eq!(inherits, Some(true), "{name} does not take the workspace's lints");
    }
}

#[test]
fn no_pure_source_file_lifts_a_wall() {
    for (_, folder) in PURE {
        for file in rust_files(&root().join(folder).join("src")) {
            let source = std::fs::read_to_string(&file).unwrap();
            assert!(!source.contains("clippy::disallowed"), "{} allows itself what its crate may not", file.display());
        }
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn cargo(arguments: &[&str]) -> String {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(program).current_dir(root()).arg("--offline").args(arguments).output().unwrap();
    assert!(output.status.success(), "cargo {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn toml_file(path: &Path) -> toml::Table {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.parse().unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension() == Some(OsStr::new("rs")) {
            files.push(path);
        }
    }
    assert!(!files.is_empty(), "no Rust file in {}", folder.display());
    files
}
