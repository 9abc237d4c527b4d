//! What is different on a terminal: colours, and how wide it is. And in a pipe whose reader went away.

use std::fs::File;
use std::io::Read;
use std::process::Stdio;

use netsplit::detector::mode::Mode;
use nix::pty::{Winsize, openpty};

use super::answers::cut;
use super::{Said, fits, netsplit, serving};

/// What a command writes on a terminal that is so wide.
fn on_terminal(arguments: &[&str], columns: u16, environment: &[(&str, &str)]) -> String {
    let size = Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    let terminal = openpty(&size, None).unwrap();
    let mut child =
        netsplit(arguments).envs(environment.iter().copied()).stdout(Stdio::from(terminal.slave)).spawn().unwrap();
    let mut text = Vec::new();
    // It ends with an error when the last writer has gone.
    let _ = File::from(terminal.master).read_to_end(&mut text);
    child.wait().unwrap();
    String::from_utf8(text).unwrap().replace("\r\n", "\n")
}

#[test]
fn a_terminal_has_colours_unless_nobody_wants_them() {
    let server = serving(&cut(3, 1..=2, Mode::Majority));
    let address = server.address.to_string();
    let matrix = ["matrix", "--address", &address];
    let coloured = on_terminal(&matrix, 80, &[]);
    assert!(coloured.contains("\u{1b}[31m✗\u{1b}[0m") && coloured.contains("\u{1b}[32m✓\u{1b}[0m"), "{coloured:?}");
    let plain = on_terminal(&matrix, 80, &[("NO_COLOR", "1")]);
    assert!(plain.contains('✗') && !plain.contains('\u{1b}'), "{plain:?}");
    assert!(!Said::by(&matrix).out.contains('\u{1b}'), "in a pipe");
}

#[test]
fn a_wide_terminal_has_room_for_names_and_a_narrow_one_for_numbers() {
    let server = serving(&cut(12, 1..=7, Mode::Majority));
    let address = server.address.to_string();
    let matrix = ["matrix", "--address", &address];
    let wide = on_terminal(&matrix, 160, &[("NO_COLOR", "1")]);
    assert!(wide.starts_with("Source\\Target") && wide.contains(" node-11 node-12 "), "{wide}");
    for columns in [60, 80] {
        let narrow = on_terminal(&matrix, columns, &[("NO_COLOR", "1")]);
        assert!(narrow.contains("123456789012") || narrow.contains(" 1 2 3 "), "{narrow}");
        fits(&narrow, columns.into());
    }
}

#[test]
fn events_are_folded_on_a_terminal_and_one_line_each_in_a_pipe() {
    let directory = tempfile::tempdir().unwrap();
    let log = super::logs::a_cut(directory.path());
    let log = log.to_str().unwrap();
    let folded = on_terminal(&["events", log], 80, &[]);
    fits(&folded, 80);
    let piped = Said::by(&["events", log]).out;
    assert!(folded.lines().count() > piped.lines().count());
    assert_eq!(folded.split_whitespace().collect::<Vec<_>>(), piped.split_whitespace().collect::<Vec<_>>());
}

#[test]
fn a_reader_that_went_away_is_no_error() {
    let server = serving(&cut(60, 1..=40, Mode::Majority));
    let address = server.address.to_string();
    for (command, code) in [("status", 1), ("matrix", 0), ("peers", 0), ("partitions", 1), ("mode", 0)] {
        let mut child =
            netsplit(&[command, "--address", &address]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let said = Said::of(child.wait_with_output().unwrap());
        assert_eq!((said.code, said.error.as_str()), (Some(code), ""), "{command}");
    }
}
