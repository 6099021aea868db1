//! Every page as text, on a narrow and on a wide screen, from one fixed model; and what keys do.
//!
//! In: the recorded answers in `tests/top/`. Out: snapshots, which README shows two of. Not its job: a real terminal
//! (`tests/top_tmux.rs`).

use std::sync::Arc;

use insta::assert_snapshot;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier};

use super::app::{Action, Allowing, App, Key, Over};
use super::canvas::Look;
use super::draw::render;
use super::pages::Page;
use super::view::{Explained, View};

const LOOK: Look = Look {
    colour: false,
    blocks: true,
    letters: true,
};

fn view() -> Arc<View> {
    Arc::new(serde_json::from_str(include_str!("../../tests/top/view.json")).unwrap())
}

fn explained() -> Explained {
    serde_json::from_str(include_str!("../../tests/top/explained.json")).unwrap()
}

fn text(buffer: &Buffer) -> String {
    let width = usize::from(buffer.area.width);
    let rows = buffer.content().chunks(width);
    let lines = rows.map(|row| row.iter().map(|cell| cell.symbol()).collect::<String>());
    lines.map(|line| format!("{}\n", line.trim_end())).collect()
}

fn screen(app: &mut App, look: Look, width: u16, height: u16) -> String {
    text(&render(&view(), app, look, Rect::new(0, 0, width, height)))
}

/// An app after these keys, drawn between them as a terminal would.
fn after(keys: &[Key]) -> App {
    let mut app = App::default();
    press(&mut app, keys);
    app
}

fn press(app: &mut App, keys: &[Key]) -> Vec<Action> {
    let view = view();
    let mut actions = Vec::new();
    for key in keys {
        screen(app, LOOK, 80, 24);
        actions.extend(app.press(*key, &view));
    }
    screen(app, LOOK, 80, 24);
    actions
}

fn chars(text: &str) -> Vec<Key> {
    text.chars().map(Key::Char).collect()
}

macro_rules! snapshots {
    ($($test:ident $page:literal),*) => {$(
        #[test]
        fn $test() {
            for (width, height) in [(80, 24), (160, 50)] {
                let mut app = after(&chars($page));
                let name = format!("{}-{width}x{height}", stringify!($test));
                assert_snapshot!(name, screen(&mut app, LOOK, width, height));
            }
        }
    )*};
}

snapshots!(overview "1", servers "2", hosts "3", countries "4", events "5", help "?");

#[test]
fn evidence() {
    for (width, height) in [(80, 24), (160, 50)] {
        let mut app = after(&chars("2"));
        let asked = press(&mut app, &[Key::Enter]);
        assert_eq!(asked, [Action::Explain("198.51.100.17:443/tcp".to_owned())]);
        app.explained("198.51.100.17:443/tcp", Ok(explained()));
        assert_snapshot!(
            format!("evidence-{width}x{height}"),
            screen(&mut app, LOOK, width, height)
        );
        press(&mut app, &chars("G"));
        let end = screen(&mut app, LOOK, width, height);
        assert!(end.contains("not an actor"), "{end}");
    }
}

#[test]
fn plain_terminals_lose_blocks_and_nothing_else() {
    let ascii = Look {
        colour: false,
        blocks: false,
        letters: false,
    };
    for page in Page::ALL {
        let mut app = App::default();
        app.page = page;
        let page = screen(&mut app, ascii, 80, 24);
        let odd: Vec<char> = page.chars().filter(|letter| !letter.is_ascii()).collect();
        assert!(odd.is_empty(), "{odd:?} in\n{page}");
    }
    assert_snapshot!("overview-ascii-80x24", screen(&mut App::default(), ascii, 80, 24));
}

#[test]
fn colour_says_class_and_loss_and_only_where_it_may() {
    let colours = |look| {
        let buffer = render(&view(), &mut after(&chars("2")), look, Rect::new(0, 0, 80, 24));
        let cells = buffer.content().iter();
        cells
            .filter(|cell| cell.fg != Color::Reset || cell.bg != Color::Reset)
            .count()
    };
    assert_eq!(colours(LOOK), 0);
    let coloured = Look { colour: true, ..LOOK };
    assert!(colours(coloured) > 0);
    let buffer = render(&view(), &mut after(&chars("2")), coloured, Rect::new(0, 0, 80, 24));
    let selected = buffer.cell((0, 5)).unwrap();
    assert!(selected.modifier.contains(Modifier::REVERSED) && selected.symbol() == ">");
}

#[test]
fn strings_of_the_network_are_harmless_on_every_page() {
    for page in Page::ALL {
        let mut app = App::default();
        app.page = page;
        let page = screen(&mut app, LOOK, 160, 50);
        assert!(!page.contains('\u{1b}') && !page.chars().any(|letter| letter.is_control() && letter != '\n'));
    }
    assert!(screen(&mut after(&chars("2")), LOOK, 160, 50).contains("mail\u{fffd}[2J.example"));
    assert!(!App::default().sheet(&view()).csv().contains('\u{1b}'));
}

#[test]
fn any_size_is_drawn_or_refused_in_words() {
    let keys = ["1", "2", "3", "4", "5", "?"];
    for (width, height) in [
        (1, 1),
        (10, 3),
        (59, 30),
        (60, 15),
        (60, 16),
        (61, 17),
        (100, 16),
        (400, 200),
    ] {
        for key in keys {
            let page = screen(&mut after(&chars(key)), LOOK, width, height);
            if width < 60 || height < 16 {
                assert!(width < 20 || page.contains("too small"), "{page}");
            } else {
                assert!(page.contains("balefire") && page.lines().count() == usize::from(height));
            }
        }
    }
}

#[test]
fn an_empty_view_says_that_nothing_is_suspected() {
    let empty = Arc::new(View::default());
    for (page, words) in [
        (Page::Overview, "nothing is suspected"),
        (Page::Servers, "nothing is suspected"),
        (Page::Events, "nothing has happened yet"),
    ] {
        let mut app = App::default();
        app.page = page;
        let drawn = text(&render(&empty, &mut app, LOOK, Rect::new(0, 0, 80, 24)));
        assert!(drawn.contains(words), "{drawn}");
        for key in [Key::Enter, Key::Char('G'), Key::Char('s'), Key::Down, Key::Char('e')] {
            app.press(key, &empty);
        }
    }
}

#[test]
fn pages_by_number_tab_and_letters() {
    let page = |keys: &str| after(&chars(keys)).page;
    assert_eq!(
        [page("3"), page("ll"), page("h"), page("5l")],
        [Page::Hosts, Page::Hosts, Page::Events, Page::Overview]
    );
    assert_eq!(after(&[Key::Tab, Key::Right, Key::BackTab]).page, Page::Servers);
    assert_eq!(press(&mut App::default(), &chars("q")), [Action::Quit]);
    assert_eq!(press(&mut App::default(), &[Key::Control('c')]), [Action::Interrupt]);
}

#[test]
fn rows_by_letters_and_by_the_screen() {
    let selected = |keys: &str| after(&chars(keys)).pane().selected;
    assert_eq!(
        [selected("2jj"), selected("2jjk"), selected("2k"), selected("2G")],
        [2, 1, 0, 6]
    );
    assert_eq!(
        [selected("3 "), selected("3 b"), selected("3Gg"), selected("3G")],
        [18, 0, 0, 29]
    );
    // The selected row is on the screen, wherever it is.
    let mut app = after(&chars("3G"));
    let last = view().hosts.last().unwrap().address.clone();
    assert!(
        screen(&mut app, LOOK, 80, 24)
            .lines()
            .any(|line| line.starts_with(&format!(">{last}")))
    );
}

#[test]
fn the_selection_stays_on_its_server_when_the_order_changes() {
    let mut app = after(&chars("2j"));
    let id = app.sheet(&view()).rows[app.pane().selected].id.clone();
    let mut moved = View::clone(&view());
    moved.servers.reverse();
    app.settle(&moved, 18);
    assert_eq!(app.sheet(&moved).rows[app.pane().selected].id, id);
    // A server that is gone leaves the selection where it was.
    moved.servers.retain(|server| server.id != id);
    app.settle(&moved, 18);
    assert_eq!(app.pane().selected, 5);
}

#[test]
fn sorting_shows_its_column_and_turns_round() {
    let first = |app: &App| app.sheet(&view()).rows[0].cells[1].text.clone();
    let mut app = after(&chars("2sssssss"));
    assert!(screen(&mut app, LOOK, 80, 24).contains("hosts▼"));
    assert_eq!(first(&app), "198.51.100.17:443");
    press(&mut app, &chars("r"));
    assert!(screen(&mut app, LOOK, 80, 24).contains("hosts▲"));
    assert_eq!(app.sheet(&view()).rows.last().unwrap().cells[6].text, "41");
    press(&mut app, &chars("S"));
    assert!(screen(&mut app, LOOK, 80, 24).contains("score▼"));
    // The one that only a list knows has no score, and comes last.
    assert_eq!(app.sheet(&view()).rows.last().unwrap().cells[5].text, "list");
}

#[test]
fn a_filter_is_typed_kept_and_dropped() {
    let shown = |app: &App| app.sheet(&view()).rows.len();
    let mut app = after(&chars("2/cc:us"));
    assert!(screen(&mut app, LOOK, 80, 24).contains("/cc:us_"));
    assert_eq!(shown(&app), 3);
    press(&mut app, &[Key::Enter]);
    assert!(matches!(app.over, Over::Nothing));
    assert!(screen(&mut app, LOOK, 80, 24).contains("3 of 7 servers"));
    press(&mut app, &chars("/x"));
    assert_eq!(shown(&app), 0);
    press(&mut app, &[Key::Escape]);
    assert_eq!(shown(&app), 3);
    press(&mut app, &[Key::Escape]);
    assert_eq!(shown(&app), 7);
    let mut app = after(&chars("2/q"));
    press(&mut app, &[Key::Backspace, Key::Backspace]);
    assert_eq!((shown(&app), app.pane().sorting.filter.as_str()), (7, ""));
}

#[test]
fn enter_leads_to_what_is_behind_a_row() {
    let mut app = after(&chars("4j"));
    press(&mut app, &[Key::Enter]);
    assert_eq!((app.page, app.pane().sorting.filter.as_str()), (Page::Servers, "cc:DE"));
    assert_eq!(app.sheet(&view()).rows.len(), 1);
    let asked = press(&mut after(&chars("3j")), &[Key::Enter]);
    assert_eq!(asked, [Action::Explain("203.0.113.9:8080/tcp".to_owned())]);
    let mut app = after(&chars("5"));
    press(&mut app, &[Key::Enter]);
    let page = screen(&mut app, LOOK, 80, 24);
    assert!(
        page.contains("2026-11-24 14:21:32 UTC finding") && page.contains("mail\u{fffd}[2J.example"),
        "{page}"
    );
    press(&mut app, &chars("q"));
    assert!(matches!(app.over, Over::Nothing));
}

#[test]
fn an_answer_that_nobody_waits_for_any_more_is_dropped() {
    let mut app = after(&[Key::Char('2'), Key::Enter, Key::Escape]);
    app.explained("198.51.100.17:443/tcp", Ok(explained()));
    assert!(matches!(app.over, Over::Nothing));
    let mut app = after(&[Key::Char('2'), Key::Enter]);
    app.explained("198.51.100.17:443/tcp", Err("not suspected now".to_owned()));
    assert!(matches!(app.over, Over::Nothing));
    assert!(screen(&mut app, LOOK, 80, 24).contains("not suspected now"));
}

/// A reason is asked for, and asked for again; what was open comes back.
#[test]
fn a_server_is_allowed_with_a_reason() {
    let mut app = after(&chars("2jja"));
    let page = screen(&mut app, LOOK, 80, 24);
    assert!(
        page.contains("allow 203.0.113.80 --port 8443, because: _") && page.contains("row 3 of 7"),
        "{page}"
    );
    assert!(press(&mut app, &[Key::Enter]).is_empty());
    assert!(screen(&mut app, LOOK, 80, 24).contains("a rule needs its reason"));
    // Letters that are keys elsewhere are letters here.
    let done = press(
        &mut app,
        &[&chars("our quay")[..], &[Key::Backspace, Key::Char('d'), Key::Enter]].concat(),
    );
    let rule = Allowing {
        server: "203.0.113.80".to_owned(),
        port: Some(8443),
        reason: "our quad".to_owned(),
    };
    assert_eq!(
        (&done[..], &app.over),
        (&[Action::Allow(rule.clone())][..], &Over::Nothing)
    );
    // Of a host it is the best of its servers.
    let Over::Allow { rule: best, .. } = after(&chars("3jjjjja")).over else {
        panic!("no reason is asked for");
    };
    assert!(view().servers.iter().any(|server| server.address == best.server));
    let mut app = after(&chars("2"));
    press(&mut app, &[Key::Enter]);
    app.explained("198.51.100.17:443/tcp", Ok(explained()));
    press(&mut app, &chars("a"));
    let page = screen(&mut app, LOOK, 80, 24);
    assert!(
        page.contains("because: _") && page.contains("connection beacon of 10.1.0.8"),
        "{page}"
    );
    // An answer that comes meanwhile is taken, and a refusal says so and closes nothing.
    app.explained("198.51.100.17:443/tcp", Ok(explained()));
    press(&mut app, &[Key::Escape]);
    assert_eq!(app.explained_id(), Some("198.51.100.17:443/tcp"));
    app.explained("198.51.100.17:443/tcp", Err("not suspected now".to_owned()));
    assert!(app.explained_id().is_some() && app.message.as_deref() == Some("not suspected now"));
    for page in ["1a", "4a", "5a"] {
        assert_eq!(after(&chars(page)).over, Over::Nothing);
    }
}

#[test]
fn help_is_whole_on_the_smallest_screen() {
    let mut app = after(&chars("?"));
    let first = screen(&mut app, LOOK, 60, 16);
    app.press(Key::Char('G'), &view());
    let last = screen(&mut app, LOOK, 60, 16);
    assert!(
        first.contains("1 to 5, tab") && last.contains("total."),
        "{first}\n{last}"
    );
    assert!(!first.contains('…'), "{first}");
    press(&mut app, &chars("?"));
    assert!(matches!(app.over, Over::Nothing));
}

#[test]
fn a_pause_holds_the_view_that_was_shown() {
    let mut app = after(&chars("p"));
    assert!(app.paused.is_some());
    assert!(screen(&mut app, LOOK, 80, 24).contains("PAUSED at 14:23:07 UTC"));
    press(&mut app, &chars("p"));
    assert!(app.paused.is_none());
}

#[test]
fn exports_are_the_rows_shown() {
    let [Action::Export(what, text)] = &press(&mut after(&chars("2/cc:us")), &[Key::Enter, Key::Char('e')])[..] else {
        panic!("nothing to export");
    };
    assert_eq!((what.as_str(), text.lines().count()), ("servers", 4));
    assert_snapshot!("export-servers", text);
    let [Action::Export(what, text)] = &press(&mut after(&chars("4")), &chars("e"))[..] else {
        panic!("nothing to export");
    };
    assert_eq!(what, "countries");
    assert_snapshot!("export-countries", text);
    let mut app = after(&chars("2"));
    press(&mut app, &[Key::Enter]);
    app.explained("198.51.100.17:443/tcp", Ok(explained()));
    let [Action::Export(what, text)] = &press(&mut app, &chars("e"))[..] else {
        panic!("nothing to export");
    };
    assert_eq!((what.as_str(), text.lines().count()), ("evidence", 5));
}

/// The most that a service sends.
#[test]
fn a_thousand_servers_are_drawn() {
    let mut full = View::clone(&view());
    let first = full.servers[0].clone();
    full.servers = (0..1_000)
        .map(|number| super::view::Server {
            id: format!("192.0.2.1:{number}/tcp"),
            rank: number + 1,
            ..first.clone()
        })
        .collect();
    full.servers_total = 65_536;
    let mut app = after(&chars("2"));
    let drawn = text(&render(&full, &mut app, LOOK, Rect::new(0, 0, 80, 24)));
    assert!(drawn.contains("1,000 of 65,536 servers"), "{drawn}");
    assert!(drawn.contains("row 1 of 1,000"), "{drawn}");
    app.press(Key::Char('1'), &Arc::new(full.clone()));
    let drawn = text(&render(&full, &mut app, LOOK, Rect::new(0, 0, 80, 24)));
    assert!(drawn.contains("at least 48 of 48,212"), "{drawn}");
}

#[test]
fn the_model_survives_its_json() {
    let view = view();
    let again: View = serde_json::from_str(&serde_json::to_string(&*view).unwrap()).unwrap();
    assert_eq!(again, *view);
    // A newer program says more, an older one less.
    let view: View =
        serde_json::from_str(r#"{"schema": "balefire-top/1", "new": [1], "events": [{"kind": "odd"}]}"#).unwrap();
    assert_eq!(view.events.len(), 1);
}

/// README shows the console as these tests draw it.
#[test]
fn readme_shows_the_pages_as_they_are() {
    let readme = include_str!("../../../../README.md");
    for key in ["1", "2"] {
        let page = screen(&mut after(&chars(key)), LOOK, 80, 24);
        let shown: String = page
            .lines()
            .map(|line| format!("    {line}").trim_end().to_owned() + "\n")
            .collect();
        assert!(readme.contains(&shown), "README.md does not show this:\n{shown}");
    }
}
