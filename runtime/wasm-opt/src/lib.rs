//! Stands in for the crate `wasm-opt`, of which `substrate-wasm-builder` needs one call: pass the runtime's
//! blob through Binaryen at level 0 and strip it. That crate compiles the whole of Binaryen for it (a fifth of
//! the node's build, most of it at the end, where everything waits). This one runs the program `wasm-opt` of
//! the system's `binaryen` package; `WASM_OPT` names another.
//!
//! Only what `substrate-wasm-builder` calls is here. What the program says is the error's text.

use std::{env, ffi::OsString, fmt, io, path::Path, process::Command};

/// Passes of Binaryen that can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
	/// Remove DWARF sections.
	StripDwarf,
	/// Replace sign-extension instructions by older ones. Old Binaryen does not know it, and needs it
	/// for old targets only: `wasm32v1-none` makes none of these instructions, and
	/// `mvp_features_only` has each refused that is there all the same.
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
#[derive(Debug)]
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
				"{} cannot be run ({source}); install Debian's package binaryen, or name the program in WASM_OPT",
				program.to_string_lossy()
			),
			Self::Failed { said } => write!(f, "wasm-opt failed: {said}"),
		}
	}
}

impl std::error::Error for OptimizationError {}

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
	pub fn run(&self, infile: impl AsRef<Path>, outfile: impl AsRef<Path>) -> Result<(), OptimizationError> {
		let program = env::var_os("WASM_OPT").unwrap_or_else(|| "wasm-opt".into());
		let lowers = self.passes.contains(&Pass::SignextLowering) && knows_signext_lowering(&program)?;
		let mut command = Command::new(&program);
		command.arg("-O0");
		if self.mvp_features_only {
			command.arg("--mvp-features");
			// Only to be lowered: the module is not valid with them once the pass has run.
			if lowers {
				command.arg("--enable-sign-ext");
			}
		}
		if self.debug_info {
			command.arg("-g");
		}
		for pass in &self.passes {
			match pass {
				Pass::StripDwarf => command.arg("--strip-dwarf"),
				Pass::SignextLowering if lowers => command.arg("--signext-lowering"),
				Pass::SignextLowering => &mut command,
			};
		}
		command.arg(infile.as_ref()).arg("-o").arg(outfile.as_ref());
		output(&program, &mut command).map(drop)
	}
}

fn knows_signext_lowering(program: &OsString) -> Result<bool, OptimizationError> {
	Ok(output(program, Command::new(program).arg("--help"))?.contains("--signext-lowering"))
}

fn output(program: &OsString, command: &mut Command) -> Result<String, OptimizationError> {
	let output = command
		.output()
		.map_err(|source| OptimizationError::NotRun { program: program.clone(), source })?;
	if output.status.success() {
		Ok(String::from_utf8_lossy(&output.stdout).into_owned())
	} else {
		Err(OptimizationError::Failed { said: String::from_utf8_lossy(&output.stderr).trim().to_owned() })
	}
}
