//! Functions that templates may call.

use std::collections::BTreeMap;

use super::exec::Budget;
use super::{Options, TemplateError, Templates, Value, value::Params};

/// A function's body. An error is one line without the function's name, which the engine adds as Go does.
type Body<'f> = Box<dyn Fn(&Scope<'_>, &[Value]) -> Result<Value, String> + 'f>;

pub(super) struct Func<'f> {
    pub(super) params: Params,
    pub(super) body: Body<'f>,
}

/// The functions of a template beside Go's built-ins, which they replace where they have the same name.
///
/// They may borrow from the caller (a rule's `query` borrows its engine), so they are made per execution; parsing looks at their
/// names alone.
#[derive(Default)]
pub struct Funcs<'f> {
    pub(super) by_name: BTreeMap<&'static str, Func<'f>>,
}

impl<'f> Funcs<'f> {
    /// None.
    pub fn new() -> Funcs<'f> {
        Funcs::default()
    }

    /// Adds a function, or replaces one.
    pub fn add(
        &mut self,
        name: &'static str,
        params: Params,
        body: impl Fn(&[Value]) -> Result<Value, String> + 'f,
    ) -> &mut Funcs<'f> {
        self.add_scoped(name, params, move |_, args| body(args))
    }

    /// Adds a function that itself renders templates.
    pub fn add_scoped(
        &mut self,
        name: &'static str,
        params: Params,
        body: impl Fn(&Scope<'_>, &[Value]) -> Result<Value, String> + 'f,
    ) -> &mut Funcs<'f> {
        self.by_name.insert(name, Func { params, body: Box::new(body) });
        self
    }
}

/// What a function that renders templates itself may do: within the limits of the template that called it.
pub struct Scope<'a> {
    pub(super) templates: &'a Templates,
    pub(super) funcs: &'a Funcs<'a>,
    pub(super) options: &'a Options,
    pub(super) budget: &'a Budget,
    pub(super) depth: usize,
    /// What the outermost template was executed with.
    pub data: &'a Value,
}

impl Scope<'_> {
    /// Renders a named template.
    pub fn render(&self, name: &str, data: &Value) -> Result<String, TemplateError> {
        super::exec::execute(self.templates, name, data, self)
    }

    /// Renders a text, which may use the templates at hand.
    pub fn render_text(&self, text: &str, data: &Value) -> Result<String, TemplateError> {
        let mut templates = self.templates.clone();
        templates.parse("", text, self.funcs)?;
        super::exec::execute(&templates, "", data, self)
    }
}
