//! README.md cites three figures, which are those of docs/performance.md.

/// The median in a row and column of the page's table.
fn figure(handler: &str, column: &str) -> String {
    let page = include_str!("../../docs/performance.md");
    let cells = |line: &str| line.split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    let mut lines = page.lines().skip_while(|line| !line.starts_with("| handler | start"));
    let head = cells(lines.next().unwrap());
    let index =
        head.iter().position(|title| title == column).unwrap_or_else(|| panic!("{column} of {head:?}"));
    let rows = lines.take_while(|line| line.starts_with('|')).map(cells);
    let row = rows.into_iter().find(|row| row[1] == handler).unwrap_or_else(|| panic!("no {handler}"));
    row[index].split(' ').next().unwrap().to_owned()
}

#[test]
fn the_readme_cites_the_figures_of_the_page() {
    let (ours, node) = ("**Diskseal**", "Node, undici alone");
    let readme = include_str!("../../README.md");
    for (column, before, between, after) in [
        (
            "start to first event, ms",
            "first event ",
            " ms after its start (the leanest handler in Node: ",
            " ms)",
        ),
        ("p99, ms", "takes ", " ms at most for 99 of 100 events, Azure's own time left out (Node: ", " ms)"),
        ("peak memory, MiB", "needs ", " MiB of memory with 64 events in flight (Node: ", " MiB)"),
    ] {
        let cited = format!("{before}{}{between}{}{after}", figure(ours, column), figure(node, column));
        assert!(readme.contains(&cited), "README.md has not: {cited}");
    }
    assert!(readme.contains("[docs/performance.md](docs/performance.md)"));
}

/// What is compared, how it is mocked and what it does not say stands beside the figures.
#[test]
fn the_page_names_machine_versions_and_command() {
    let page = include_str!("../../docs/performance.md");
    for row in ["measured", "machine", "load before it", "Diskseal", "Node", "Python", "Custodian", "command"]
    {
        assert!(page.contains(&format!("\n| {row} | ")), "{row}");
    }
}
