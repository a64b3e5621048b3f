//! Feeds the functions of `diskseal::fuzz` with changed inputs of their corpora, on any toolchain.
//!
//! The same seed gives the same inputs. An input that fails is written to `fuzz/artifacts`, with the command that feeds it
//! again. libFuzzer finds more where a nightly toolchain is at hand, because it sees which code an input reaches.

use std::{
    fs, io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, Instant},
};

use clap::Parser;
use diskseal::fuzz::{TARGETS, Target};
use fastrand::Rng;

mod growth;

/// Feeds functions with changed inputs of their corpora.
#[derive(Parser)]
struct Arguments {
    /// The functions to feed; all of them by default
    targets: Vec<String>,
    /// How many inputs each gets
    #[arg(long, default_value_t = 100_000)]
    executions: u64,
    /// The time for each, in seconds, if its inputs take longer
    #[arg(long, default_value_t = 600)]
    seconds: u64,
    /// The first number of the sequence of inputs
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Feed this file alone
    #[arg(long)]
    input: Option<PathBuf>,
}

/// Longer inputs only take longer.
const INPUT_LEN_MAX: usize = 16 * 1024;
/// An input that takes longer is a failure: the slowest takes milliseconds.
const INPUT_TIME_MAX: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    for name in &arguments.targets {
        if TARGETS.iter().all(|(known, _)| known != name) {
            let known: Vec<_> = TARGETS.iter().map(|(name, _)| *name).collect();
            eprintln!("error: {name} is no function; they are {}", known.join(", "));
            return ExitCode::from(2);
        }
    }
    let chosen = TARGETS
        .iter()
        .filter(|(name, _)| arguments.targets.is_empty() || arguments.targets.iter().any(|one| one == name));
    let mut failures = 0;
    for target in chosen {
        match feed(target, &arguments, folder) {
            Ok(summary) => println!("ok   {summary}"),
            Err(Failure::Found(summary)) => {
                failures += 1;
                println!("FAIL {summary}");
            }
            Err(Failure::Io(fault)) => {
                eprintln!("error: {fault}");
                return ExitCode::from(2);
            }
        }
    }
    ExitCode::from(u8::from(failures > 0))
}

enum Failure {
    Found(String),
    Io(io::Error),
}

impl From<io::Error> for Failure {
    fn from(fault: io::Error) -> Self {
        Self::Io(fault)
    }
}

fn feed(&(name, function): &Target, arguments: &Arguments, folder: &Path) -> Result<String, Failure> {
    let try_one = |input: &[u8]| -> Result<Duration, Failure> {
        let begun = Instant::now();
        let passed = catch_unwind(AssertUnwindSafe(|| function(input))).is_ok();
        let time = begun.elapsed();
        if passed && time < INPUT_TIME_MAX {
            return Ok(time);
        }
        let why = if passed { format!("took {time:.1?}") } else { "failed".to_owned() };
        Err(kept(folder, name, input, &why)?)
    };
    if let Some(input) = &arguments.input {
        let time = try_one(&fs::read(input)?)?;
        return Ok(format!("{name}: 1 input, {time:.1?}"));
    }
    let corpus = read_all(&folder.join("corpus").join(name))?;
    let words = words(&fs::read_to_string(folder.join("dictionary").join(format!("{name}.dict")))?);
    let mut random = Rng::with_seed(arguments.seed);
    let begun = Instant::now();
    let (mut executions, mut slowest) = (0, Duration::ZERO);
    while executions < arguments.executions && begun.elapsed() < Duration::from_secs(arguments.seconds) {
        let input = changed(&corpus, &words, &mut random);
        slowest = slowest.max(try_one(&input)?);
        executions += 1;
    }
    let time = begun.elapsed();
    for _ in 0..growth::TRIALS {
        let input = changed(&corpus, &words, &mut random);
        let steep = catch_unwind(AssertUnwindSafe(|| growth::steep(function, &input, &mut random.fork())));
        match steep {
            Ok(None) => {}
            Ok(Some((input, ratio))) => {
                let why = format!("takes {ratio:.1} times as long for four times the input");
                return Err(kept(folder, name, &input, &why)?);
            }
            Err(_) => return Err(kept(folder, name, &input, "failed when a part of it was repeated")?),
        }
    }
    Ok(format!(
        "{name}: {executions} inputs in {time:.1?}, the slowest {slowest:.1?}, seed {}, and in linear time",
        arguments.seed
    ))
}

/// Writes what failed to a file, and says how to feed it again.
fn kept(folder: &Path, name: &str, input: &[u8], why: &str) -> io::Result<Failure> {
    let file = folder.join(format!("artifacts/{name}-{:016x}", Rng::with_seed(input.len() as u64).u64(..)));
    fs::create_dir_all(folder.join("artifacts"))?;
    fs::write(&file, input)?;
    Ok(Failure::Found(format!("{name}: {why}: fuzz/run --input {} {name}", file.display())))
}

fn read_all(folder: &Path) -> io::Result<Vec<Vec<u8>>> {
    let mut files: Vec<_> =
        fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    files.sort();
    files.iter().map(fs::read).collect()
}

/// The words of a dictionary in libFuzzer's form: `"text"`, with `\"`, `\\` and `\xAB`.
fn words(dictionary: &str) -> Vec<Vec<u8>> {
    let quoted = |line: &str| Some(line.trim().strip_prefix('"')?.strip_suffix('"')?.to_owned());
    dictionary.lines().filter_map(quoted).map(|text| unescaped(&text)).collect()
}

fn unescaped(text: &str) -> Vec<u8> {
    let mut word = vec![];
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match (byte, byte == b'\\') {
            (_, true) => match bytes.next() {
                Some(b'x') => {
                    let digits: Vec<u8> = bytes.by_ref().take(2).collect();
                    let digits = String::from_utf8_lossy(&digits);
                    word.extend(u8::from_str_radix(&digits, 16).ok());
                }
                other => word.extend(other),
            },
            (byte, false) => word.push(byte),
        }
    }
    word
}

/// An input of the corpus with a few changes.
fn changed(corpus: &[Vec<u8>], words: &[Vec<u8>], random: &mut Rng) -> Vec<u8> {
    let any = |random: &mut Rng| corpus.get(random.usize(..corpus.len().max(1))).cloned().unwrap_or_default();
    let mut input = any(random);
    for _ in 0..random.usize(1..=8) {
        let at = random.usize(..=input.len());
        let end = random.usize(at..=input.len());
        match random.u8(..10) {
            0 => drop(input.drain(at..end)),
            1 => input.truncate(at),
            2 => drop(input.splice(at..at, input[at..end].to_vec())),
            3 => {
                let other = any(random);
                let from = random.usize(..=other.len());
                drop(input.splice(at..end, other[from..].iter().copied()));
            }
            4 | 5 | 6 if !words.is_empty() => {
                let word = words[random.usize(..words.len())].clone();
                let end = if random.bool() { end } else { at };
                drop(input.splice(at..end, word));
            }
            7 if at < input.len() => input[at] ^= 1 << random.u8(..8),
            8 => {
                let c = random.char(..).to_string();
                drop(input.splice(at..at, c.into_bytes()));
            }
            _ => drop(input.splice(at..at, [random.u8(..)])),
        }
    }
    input.truncate(INPUT_LEN_MAX);
    input
}
