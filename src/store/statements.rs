//! Prepares every statement of this folder on both databases: `sqlx::Any` cannot check them when it compiles.
//!
//! The statements are read from the sources: every string that begins with an SQL verb, with the constants that it names
//! put in. What a statement puts in at run time has an example in [`EXAMPLES`].

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, SqlSafeStr, SqliteConnection};
use syn::punctuated::Punctuated;
use syn::visit::{self, Visit};
use syn::{Attribute, Expr, ItemConst, ItemMod, ItemUse, Lit, Macro, Token, UseTree};

use super::plans::postgres;
use super::{Dialect, Store};
use crate::clock::Clock;

/// An example of each value that is put into a statement at run time: file, name, value.
const EXAMPLES: &[(&str, &str, &str)] = &[
    ("audit.rs", "exact", " and subject = $4"),
    ("daily_stats.rs", "sums", "sum(texts)"),
    ("lanes.rs", "order", "seq, part"),
    ("queries.rs", "texts", "'sms'"),
    ("upkeep.rs", "Kind::sql_list", "'post'"),
    ("text_counts.rs", "whose", "line = $1 and author = ''"),
];

/// What a statement begins with.
const VERBS: [&str; 5] = ["select ", "insert ", "update ", "delete ", "with "];

/// A statement and the file it stands in.
type Statement = (String, String);

#[tokio::test]
async fn sqlite_prepares_every_statement() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("qdn.db");
    let url = format!("sqlite://{}", file.display());
    Store::open(&url, Clock::System)
        .await
        .unwrap()
        .close()
        .await;
    let mut connection = SqliteConnection::connect(&url).await.unwrap();
    let mut problems = Vec::new();
    for (file, sql) in statements(Dialect::Sqlite) {
        let prepared = connection.prepare(AssertSqlSafe(sql.clone()).into_sql_str());
        problems.extend(
            prepared
                .await
                .err()
                .map(|why| format!("{file}: {why}: {sql}")),
        );
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[tokio::test]
async fn postgres_prepares_every_statement() {
    let Some((mut maintenance, url, name)) = postgres("qdn_statements").await else {
        return;
    };
    Store::open(&url, Clock::System)
        .await
        .unwrap()
        .close()
        .await;
    let mut connection = PgConnection::connect(&url).await.unwrap();
    let mut problems = Vec::new();
    for (file, sql) in statements(Dialect::Postgres) {
        let prepared = connection.prepare(AssertSqlSafe(sql.clone()).into_sql_str());
        problems.extend(
            prepared
                .await
                .err()
                .map(|why| format!("{file}: {why}: {sql}")),
        );
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    connection.close().await.unwrap();
    let drop = AssertSqlSafe(format!("drop database {name} with (force)"));
    maintenance.execute(drop).await.unwrap();
}

/// Every statement of this folder, as this database is sent it.
fn statements(dialect: Dialect) -> BTreeSet<Statement> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store");
    let sources: Vec<Source> = files(&folder)
        .iter()
        .map(|file| Source::read(file))
        .collect();
    // A constant of one file may stand in a statement of another.
    let all: BTreeMap<String, String> = sources
        .iter()
        .flat_map(|source| {
            source
                .constants
                .iter()
                .map(move |(name, value)| (source, name, value))
        })
        .flat_map(|(source, name, value)| {
            let modules = source.modules.iter();
            modules.map(move |module| (format!("{module}::{name}"), value.clone()))
        })
        .collect();
    let mut found = BTreeSet::new();
    for source in &sources {
        for text in &source.texts {
            let sql = source.fill_in(text, &all);
            let begins = VERBS.iter().any(|verb| sql.trim_start().starts_with(verb));
            // A condition or an ending by itself is no statement, and pragmas are SQLite's alone.
            if begins && is_for(dialect, &sql) {
                found.insert((source.name.clone(), sql));
            }
        }
    }
    assert!(
        found.len() > 150,
        "only {} statements were found",
        found.len()
    );
    found
}

/// Whether a statement is sent to this database: some name what only one of them has.
fn is_for(dialect: Dialect, sql: &str) -> bool {
    let only_sqlite = ["sqlite_master", "pragma"]
        .iter()
        .any(|word| sql.contains(word));
    let only_postgres = ["for update", "clock_timestamp()", "pg_"]
        .iter()
        .any(|word| sql.contains(word));
    match dialect {
        Dialect::Sqlite => !only_postgres,
        Dialect::Postgres => !only_sqlite,
    }
}

/// A string of a source file, with the holes of a `format!`.
#[derive(Debug, Clone)]
struct Text {
    template: String,
    /// The constants named after the template, empty for other values.
    arguments: Vec<String>,
}

/// What stands in one file outside its tests.
struct Source {
    name: String,
    /// What its constants are reached by: its own module and its folder's.
    modules: Vec<String>,
    constants: BTreeMap<String, String>,
    /// Constants of other files, with the module they are imported from.
    imported: BTreeMap<String, String>,
    texts: Vec<Text>,
}

impl Source {
    fn read(file: &Path) -> Source {
        let code = fs::read_to_string(file).unwrap();
        let code = syn::parse_file(&code).unwrap_or_else(|why| panic!("{}: {why}", file.display()));
        let mut source = Source {
            name: file.file_name().unwrap().to_str().unwrap().to_owned(),
            modules: [file.with_extension(""), file.parent().unwrap().to_owned()]
                .iter()
                .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
                .collect(),
            constants: BTreeMap::new(),
            imported: BTreeMap::new(),
            texts: Vec::new(),
        };
        source.visit_file(&code);
        source
    }

    fn import(&mut self, module: &str, tree: &UseTree) {
        match tree {
            UseTree::Path(path) => self.import(&path.ident.to_string(), &path.tree),
            UseTree::Name(name) => {
                let name = name.ident.to_string();
                self.imported
                    .insert(name.clone(), format!("{module}::{name}"));
            }
            UseTree::Group(group) => group
                .items
                .iter()
                .for_each(|tree| self.import(module, tree)),
            UseTree::Rename(_) | UseTree::Glob(_) => {}
        }
    }

    /// The text with everything put in that its statement puts in.
    fn fill_in(&self, text: &Text, all: &BTreeMap<String, String>) -> String {
        let mut filled = String::new();
        let mut arguments = text.arguments.iter();
        let mut rest = text.template.as_str();
        while let Some((before, after)) = rest.split_once('{') {
            filled.push_str(before);
            if let Some(after) = after.strip_prefix('{') {
                filled.push('{');
                rest = after.trim_start_matches('}');
                continue;
            }
            let (hole, after) = after.split_once('}').unwrap_or((after, ""));
            let name = match hole {
                "" => arguments.next().map_or("", String::as_str),
                name => name,
            };
            let imported = self.imported.get(name).map_or(name, String::as_str);
            let value = self.constants.get(name).or_else(|| all.get(imported));
            let example = EXAMPLES
                .iter()
                .find(|(file, hole, _)| *file == self.name && *hole == name && !name.is_empty());
            match (value, example) {
                (Some(value), _) => filled.push_str(value),
                (None, Some((_, _, value))) => filled.push_str(value),
                // The number of a parameter, or a list of parameters.
                (None, None) if filled.ends_with('$') => filled.push_str(&next(&filled)),
                (None, None) => filled.push_str(&format!("${}", next(&filled))),
            }
            rest = after;
        }
        filled.push_str(rest);
        filled
    }
}

/// The number after the highest parameter of a statement so far.
fn next(sql: &str) -> String {
    let numbers = sql.split('$').skip(1).filter_map(|rest| {
        let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
        digits.parse::<u32>().ok()
    });
    (numbers.max().unwrap_or_default() + 1).to_string()
}

impl<'ast> Visit<'ast> for Source {
    fn visit_item_const(&mut self, item: &'ast ItemConst) {
        if let Some(text) = literal(&item.expr) {
            self.constants.insert(item.ident.to_string(), text);
        }
        visit::visit_item_const(self, item);
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        self.import("", &item.tree);
    }

    fn visit_local(&mut self, local: &'ast syn::Local) {
        if let (syn::Pat::Ident(name), Some(init)) = (&local.pat, &local.init)
            && let Expr::Macro(made) = &*init.expr
            && let Some(text) = formatted(&made.mac)
        {
            let text = self.fill_in(&text, &BTreeMap::new());
            self.constants.insert(name.ident.to_string(), text);
        }
        visit::visit_local(self, local);
    }

    fn visit_macro(&mut self, made: &'ast Macro) {
        self.texts.extend(formatted(made));
    }

    fn visit_expr(&mut self, expr: &'ast Expr) {
        if let Some(template) = literal(expr) {
            let template = template.replace('{', "{{").replace('}', "}}");
            self.texts.push(Text {
                template,
                arguments: Vec::new(),
            });
        }
        visit::visit_expr(self, expr);
    }

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        if !is_for_tests(&item.attrs) {
            visit::visit_item_mod(self, item);
        }
    }
}

fn literal(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Lit(lit) => match &lit.lit {
            Lit::Str(text) => Some(text.value()),
            _ => None,
        },
        _ => None,
    }
}

/// The template and the arguments of a `format!`.
fn formatted(made: &Macro) -> Option<Text> {
    if !made.path.is_ident("format") {
        return None;
    }
    let arguments = made
        .parse_body_with(Punctuated::<Expr, Token![,]>::parse_terminated)
        .ok()?;
    let template = literal(arguments.first()?)?;
    Some(Text {
        template,
        arguments: arguments.iter().skip(1).map(name).collect(),
    })
}

/// What an argument is called: a constant with its module, or the value that a method is called on.
fn name(expr: &Expr) -> String {
    match expr {
        Expr::Path(path) => {
            let segments = path.path.segments.iter().rev().take(2);
            let mut names: Vec<String> =
                segments.map(|segment| segment.ident.to_string()).collect();
            names.reverse();
            names.join("::")
        }
        Expr::MethodCall(call) => name(&call.receiver),
        Expr::Call(call) => name(&call.func),
        _ => String::new(),
    }
}

fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute
                .parse_args::<syn::Path>()
                .is_ok_and(|cfg| cfg.is_ident("test"))
    })
}

/// The files of the folder but those that only tests have.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            found.extend(files(&path));
        } else if name.ends_with(".rs")
            && !["plans.rs", "statements.rs", "tests.rs"].contains(&name.as_str())
        {
            found.push(path);
        }
    }
    found
}
