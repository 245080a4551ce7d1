use std::sync::Arc;

use actix_web::HttpRequest;

use crate::{
    contain::contained,
    web::{options::WebOptions, text::is_sayable},
};

pub(in crate::web) type AccessHook = Arc<dyn Fn(&HttpRequest) -> Access + Send + Sync>;

/// What a request may do, as [`WebOptions::access`] decides.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Access {
    /// Nothing: it gets a 403.
    Forbidden,
    /// It may see everything and change nothing.
    ReadOnly,
    /// It may see everything, and act, where [`WebOptions::actions`] allows it.
    Full {
        /// Who acts, as events and logs name it; `None`: nobody knows. At most 200 characters, and no control
        /// characters among them: whoever is called otherwise is refused as by [`Forbidden`](Self::Forbidden).
        operator: Option<String>,
    },
}

impl Access {
    /// Full access for the operator of this name.
    pub fn full(operator: impl Into<String>) -> Self {
        Self::Full { operator: Some(operator.into()) }
    }

    /// What holds for this request: with actions off, full access is reading.
    pub(in crate::web) fn of(request: &HttpRequest, options: &WebOptions) -> Self {
        let asked = match &options.access {
            None => Self::Full { operator: None },
            Some(hook) => contained(|| hook(request)).unwrap_or_else(|text| {
                log::error!("the access hook panicked, and the request is refused: {text}");
                Self::Forbidden
            }),
        };
        match asked {
            Self::Full { operator: Some(name) } if !is_sayable(&name) => {
                log::error!(
                    "the access hook named an operator that no event can name: {name:.80?}"
                );
                Self::Forbidden
            }
            Self::Full { .. } if !options.has_actions => Self::ReadOnly,
            other => other,
        }
    }
}
