// SPDX-License-Identifier: Apache-2.0

//! Each error is expected by a test, and each event too.

use crate::{mock::*, *};
use scale_info::{TypeDef, TypeInfo};
use std::{collections::BTreeMap, fs, path::Path};

/// The tests' sources, without this one.
fn sources() -> BTreeMap<String, String> {
	let here = std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it for tests");
	let folder = Path::new(&here).join("src/tests");
	fs::read_dir(folder)
		.expect("the tests have a folder")
		.map(|entry| entry.expect("it can be read").path())
		.map(|path| {
			let name = path.file_stem().expect("it has a name").to_string_lossy().into_owned();
			(name, fs::read_to_string(path).expect("it can be read"))
		})
		.filter(|(name, _)| name != "errors")
		.collect()
}

fn variants<T: TypeInfo>() -> Vec<&'static str> {
	match T::type_info().type_def {
		TypeDef::Variant(list) => list.variants.into_iter().map(|variant| variant.name).collect(),
		other => panic!("it is an enum: {other:?}"),
	}
}

/// Whether `source` names the variant, and not one whose name only begins like it.
fn names(source: &str, variant: &str) -> bool {
	let word = |c: char| c.is_alphanumeric() || c == '_';
	source.match_indices(variant).any(|(at, _)| !source[at + variant.len()..].starts_with(word))
}

#[test]
fn success_each_error_is_expected_somewhere() {
	let sources = sources();
	let missing: Vec<_> = variants::<Error<Test>>()
		.into_iter()
		// What the macro adds.
		.filter(|name| !name.starts_with("__"))
		.filter(|name| {
			let forms = [
				format!("Error::<Test>::{name}"),
				format!("Err(Error::{name}"),
				format!("custom(Error::{name}"),
				format!(", Error::{name}"),
			];
			!forms.iter().any(|form| sources.values().any(|source| names(source, form)))
		})
		.collect();
	assert_eq!(missing, Vec::<&str>::new(), "no test expects these");
}

#[test]
fn success_each_event_is_expected_somewhere() {
	let sources = sources();
	let missing: Vec<_> = variants::<Event<Test>>()
		.into_iter()
		.filter(|name| !name.starts_with("__"))
		.filter(|name| {
			let form = format!("Event::{name}");
			!sources.values().any(|source| names(source, &form))
		})
		.collect();
	assert_eq!(missing, Vec::<&str>::new(), "no test expects these");
}

#[test]
fn success_each_call_has_a_module_of_its_own() {
	let sources = sources();
	for call in variants::<Call<Test>>().into_iter().filter(|name| !name.starts_with("__")) {
		let found =
			sources.keys().any(|name| name == call || name.starts_with(&format!("{call}_")));
		assert!(found, "no module for {call}");
	}
}
