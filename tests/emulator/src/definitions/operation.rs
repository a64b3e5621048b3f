//! The operations of the definitions: their requests, parameters and responses.

use std::{collections::BTreeMap, path::Path};

use jsonschema::Validator;
use serde_json::Value;

use super::{
    document::Documents,
    schema::{self, Side},
};

const METHODS: [&str; 7] = ["get", "put", "post", "delete", "options", "head", "patch"];

/// One operation.
#[derive(Debug)]
pub(super) struct Operation {
    pub(super) id: String,
    method: String,
    template: Vec<String>,
    /// The version of the file, the only one that its definitions cover.
    pub(super) version: String,
    pub(super) query: Vec<Parameter>,
    pub(super) body: Option<Body>,
    pub(super) answers: BTreeMap<u16, Answer>,
    /// The default response.
    pub(super) error: Option<Validator>,
    /// Whether a response can have a link to a next page.
    pub(super) is_pageable: bool,
    /// Whether it can continue after its response.
    pub(super) is_long_running: bool,
    pub(super) consumes: Vec<String>,
    pub(super) produces: Vec<String>,
}

/// A parameter of the query.
#[derive(Debug)]
pub(super) struct Parameter {
    pub(super) name: String,
    pub(super) is_required: bool,
}

/// The body of the request.
#[derive(Debug)]
pub(super) struct Body {
    pub(super) is_required: bool,
    pub(super) validator: Validator,
}

/// A response of one status.
#[derive(Debug)]
pub(super) struct Answer {
    /// None: no body.
    pub(super) validator: Option<Validator>,
    pub(super) headers: Vec<String>,
}

impl Operation {
    /// Whether a request belongs to this operation. Resource Manager ignores the case of paths.
    pub(super) fn is(&self, method: &str, path: &str) -> bool {
        if self.method != method {
            return false;
        }
        let given: Vec<&str> = path.trim_end_matches('/').split('/').skip(1).collect();
        let fits = |template: &[String], given: &[&str]| {
            template.len() == given.len()
                && template.iter().zip(given).all(|(wanted, given)| {
                    (wanted.starts_with('{') && !given.is_empty()) || wanted.eq_ignore_ascii_case(given)
                })
        };
        match self.template.split_first() {
            // A scope is itself a path.
            Some((scope, rest)) if scope == "{scope}" => given
                .len()
                .checked_sub(rest.len())
                .is_some_and(|scope| scope > 0 && fits(rest, &given[scope..])),
            _ => fits(&self.template, &given),
        }
    }
}

/// All operations of a file.
pub(super) fn read(documents: &mut Documents, file: &Path) -> Result<Vec<Operation>, String> {
    let document = documents.file(file)?;
    let mut operations = Vec::new();
    for (path, methods) in document["paths"].as_object().into_iter().flatten() {
        for method in METHODS {
            if let Some(given) = methods.get(method) {
                let operation = one(documents, file, &document, path, method, given)
                    .map_err(|fault| format!("{method} {path}: {fault}"))?;
                operations.push(operation);
            }
        }
    }
    Ok(operations)
}

fn one(
    documents: &mut Documents,
    file: &Path,
    document: &Value,
    path: &str,
    method: &str,
    given: &Value,
) -> Result<Operation, String> {
    let (mut query, mut body) = (Vec::new(), None);
    for parameter in given["parameters"].as_array().into_iter().flatten() {
        let part = documents.follow(file, parameter)?;
        let is_required = part.value["required"] == true;
        match part.value["in"].as_str() {
            Some("query") => {
                query.push(Parameter { name: text(&part.value["name"]), is_required });
            }
            Some("body") => {
                let validator = schema::compile(documents, &part.file, &part.value["schema"], Side::Request)?;
                body = Some(Body { is_required, validator });
            }
            // Parameters of the path are in the template. Other kinds do not occur.
            Some("path") => {}
            other => return Err(format!("a parameter in {other:?}")),
        }
    }
    let (mut answers, mut error) = (BTreeMap::new(), None);
    for (status, answer) in given["responses"].as_object().into_iter().flatten() {
        let status = status.parse::<u16>().ok();
        let side = if status == Some(202) { Side::Partial } else { Side::Answer };
        let validator = match answer.get("schema") {
            Some(schema) => Some(schema::compile(documents, file, schema, side)?),
            None => None,
        };
        let names = answer["headers"].as_object().into_iter().flatten();
        let headers = names.map(|(name, _)| name.to_ascii_lowercase()).collect();
        match status {
            Some(status) => {
                answers.insert(status, Answer { validator, headers });
            }
            None => error = validator,
        }
    }
    let types = |name: &str| {
        let own = given.get(name).unwrap_or(&document[name]);
        own.as_array().into_iter().flatten().map(text).collect()
    };
    Ok(Operation {
        id: text(&given["operationId"]),
        method: method.to_ascii_uppercase(),
        template: path.split('/').skip(1).map(str::to_owned).collect(),
        version: text(&document["info"]["version"]),
        query,
        body,
        answers,
        error,
        is_pageable: given.get("x-ms-pageable").is_some(),
        is_long_running: given["x-ms-long-running-operation"] == true,
        consumes: types("consumes"),
        produces: types("produces"),
    })
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
