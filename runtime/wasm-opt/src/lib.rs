//! Stands in for the crate `wasm-opt`, of which `substrate-wasm-builder` needs one call: pass the
//! runtime's blob through Binaryen at level 0 and strip it. That crate compiles the whole of Binaryen
//! for it (a fifth of the node's build, most of it at the end, where everything waits). This one runs
//! the program `wasm-opt` of the system's `binaryen` package; `WASM_OPT` names another.
//!
//! Only what `substrate-wasm-builder` calls is here. What the program says is the error's text.

use std::{
	env,
	error::Error,
	ffi::{OsStr, OsString},
	fmt, io,
	path::Path,
	process::Command,
};

/// Passes of Binaryen that can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
	/// Remove DWARF sections.
	StripDwarf,
	/// Replace sign-extension instructions by older ones.
	///
	/// Binaryen 108 (Debian 12) does not know it. It is needed for old targets only:
	/// `wasm32v1-none` makes none of these instructions. A program that cannot lower them is told to
	/// refuse them, so that no blob comes out that the executor would refuse.
	SignextLowering,
}

/// What to do with a module.
#[derive(Clone, Debug, Default)]
pub struct OptimizationOptions {
	mvp_features_only: bool,
	debug_info: bool,
	passes: Vec<Pass>,
}

/// Why a module was not written.
pub enum OptimizationError {
	/// The program could not be run at all.
	NotRun {
		/// The program that was tried.
		program: OsString,
		/// What the system said.
		source: io::Error,
	},
	/// The program ran and failed.
	Failed {
		/// Its standard error.
		said: String,
	},
}

impl fmt::Display for OptimizationError {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		match self {
			Self::NotRun { program, source } => write!(
				f,
				"{} cannot be run ({source}); install Debian's package binaryen, or name the \
				 program in WASM_OPT",
				program.display()
			),
			Self::Failed { said } => write!(f, "wasm-opt failed: {said}"),
		}
	}
}

/// As it is displayed: `substrate-wasm-builder` unwraps, and so shows this and nothing else.
impl fmt::Debug for OptimizationError {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		fmt::Display::fmt(self, f)
	}
}

impl Error for OptimizationError {
	fn source(&self) -> Option<&(dyn Error + 'static)> {
		match self {
			Self::NotRun { source, .. } => Some(source),
			Self::Failed { .. } => None,
		}
	}
}

impl OptimizationOptions {
	/// No optimisation: read, run the passes, write.
	pub fn new_opt_level_0() -> Self {
		Self::default()
	}

	/// Refuse whatever the first version of WebAssembly had not.
	pub fn mvp_features_only(&mut self) -> &mut Self {
		self.mvp_features_only = true;
		self
	}

	/// Keep the names of functions.
	pub fn debug_info(&mut self, value: bool) -> &mut Self {
		self.debug_info = value;
		self
	}

	/// Run a pass, after those that were added before.
	pub fn add_pass(&mut self, pass: Pass) -> &mut Self {
		self.passes.push(pass);
		self
	}

	/// Read a module, do what was asked, and write it; both paths may be the same.
	///
	/// # Errors
	/// [`OptimizationError`], if there is no such program or it refuses the module.
	pub fn run(
		&self,
		infile: impl AsRef<Path>,
		outfile: impl AsRef<Path>,
	) -> Result<(), OptimizationError> {
		let program = program(env::var_os("WASM_OPT"));
		self.run_by(&program, infile.as_ref(), outfile.as_ref())
	}

	fn run_by(
		&self,
		program: &OsStr,
		infile: &Path,
		outfile: &Path,
	) -> Result<(), OptimizationError> {
		let lowers =
			self.passes.contains(&Pass::SignextLowering) && knows_signext_lowering(program)?;
		let mut command = Command::new(program);
		command.arg("-O0");
		if self.mvp_features_only {
			command.arg("--mvp-features");
		}
		if self.debug_info {
			command.arg("-g");
		}
		for pass in &self.passes {
			match pass {
				Pass::StripDwarf => command.arg("--strip-dwarf"),
				// Read only to be lowered: the pass forbids them for what is written.
				Pass::SignextLowering if lowers => {
					command.args(["--enable-sign-ext", "--signext-lowering"])
				}
				Pass::SignextLowering => command.arg("--disable-sign-ext"),
			};
		}
		command.arg(infile).arg("-o").arg(outfile);
		output(&mut command).map(drop)
	}
}

fn program(named: Option<OsString>) -> OsString {
	named.filter(|name| !name.is_empty()).unwrap_or_else(|| "wasm-opt".into())
}

fn knows_signext_lowering(program: &OsStr) -> Result<bool, OptimizationError> {
	Ok(output(Command::new(program).arg("--help"))?.contains("--signext-lowering"))
}

/// What the program writes to its standard output, if it succeeds.
fn output(command: &mut Command) -> Result<String, OptimizationError> {
	let output = command.output().map_err(|source| OptimizationError::NotRun {
		program: command.get_program().to_owned(),
		source,
	})?;
	if output.status.success() {
		return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
	}
	let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
	Err(OptimizationError::Failed {
		said: if said.is_empty() { output.status.to_string() } else { said },
	})
}

#[cfg(test)]
mod tests {
	use super::*;
	use std::{fs, path::PathBuf, process};

	/// One that writes what it was asked where it should write the module. See `tests/`.
	///
	/// Where this crate is, is asked when the test runs: clones share what is compiled, and each has a path of its own.
	fn fake(name: &str) -> OsString {
		let here = env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it for tests");
		Path::new(&here).join("tests").join(name).into()
	}

	/// What a compact blob is made with, as `substrate-wasm-builder` asks for it.
	fn compact() -> OptimizationOptions {
		let mut options = OptimizationOptions::new_opt_level_0();
		options
			.mvp_features_only()
			.debug_info(true)
			.add_pass(Pass::StripDwarf)
			.add_pass(Pass::SignextLowering);
		options
	}

	fn arguments(
		options: &OptimizationOptions,
		program: &str,
		case: &str,
	) -> Result<String, OptimizationError> {
		let outfile: PathBuf = env::temp_dir().join(format!("{case}-{}.wasm", process::id()));
		options.run_by(&fake(program), Path::new("in.wasm"), &outfile)?;
		let said = fs::read_to_string(&outfile).unwrap();
		fs::remove_file(&outfile).unwrap();
		Ok(said.replace(&outfile.display().to_string(), "OUT").trim().replace('\n', " "))
	}

	#[test]
	fn a_new_binaryen_lowers_sign_extensions() {
		assert_eq!(
			arguments(&compact(), "new-wasm-opt", "new").unwrap(),
			"-O0 --mvp-features -g --strip-dwarf --enable-sign-ext --signext-lowering \
			 in.wasm -o OUT"
		);
	}

	#[test]
	fn an_old_binaryen_refuses_sign_extensions() {
		assert_eq!(
			arguments(&compact(), "old-wasm-opt", "old").unwrap(),
			"-O0 --mvp-features -g --strip-dwarf --disable-sign-ext in.wasm -o OUT"
		);
		let mut lower_only = OptimizationOptions::new_opt_level_0();
		lower_only.add_pass(Pass::SignextLowering);
		assert_eq!(
			arguments(&lower_only, "old-wasm-opt", "lower-only").unwrap(),
			"-O0 --disable-sign-ext in.wasm -o OUT"
		);
	}

	#[test]
	fn nothing_is_asked_for_unasked() {
		let options = OptimizationOptions::new_opt_level_0();
		assert_eq!(arguments(&options, "new-wasm-opt", "plain").unwrap(), "-O0 in.wasm -o OUT");
	}

	#[test]
	fn a_refusal_is_shown_as_the_program_said_it() {
		let error = compact()
			.run_by(&fake("old-wasm-opt"), Path::new("refused.wasm"), Path::new("nowhere.wasm"))
			.unwrap_err();
		assert_eq!(format!("{error:?}"), "wasm-opt failed: [wasm-validator error] refused");
		assert!(!Path::new("nowhere.wasm").exists());
	}

	#[test]
	fn a_program_that_is_not_there_is_named_with_the_remedy() {
		let error = compact()
			.run_by(OsStr::new("/no/such/wasm-opt"), Path::new("in.wasm"), Path::new("out.wasm"))
			.unwrap_err();
		let shown = format!("{error:?}");
		assert!(shown.contains("/no/such/wasm-opt") && shown.contains("binaryen"), "{shown}");
		assert!(error.source().is_some());
	}

	#[test]
	fn the_variable_names_the_program_unless_it_is_empty() {
		assert_eq!(program(None), "wasm-opt");
		assert_eq!(program(Some("".into())), "wasm-opt");
		assert_eq!(program(Some("/opt/wasm-opt".into())), "/opt/wasm-opt");
	}
}
