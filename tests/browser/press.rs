//! Keys and the pointer, as a person uses them.

use fantoccini::{
    actions::{InputSource, KeyAction, KeyActions, MouseActions, PointerAction},
    key::Key,
};

use crate::tab::Tab;

impl Tab {
    /// Presses one key after the other, wherever the focus is.
    pub async fn press(&self, keys: &[char]) {
        let mut actions = KeyActions::new("keys".to_owned());
        for &value in keys {
            actions = actions.then(KeyAction::Down { value }).then(KeyAction::Up { value });
        }
        self.client.perform_actions(actions).await.expect("keys can be pressed");
    }

    /// Moves the pointer to the middle of what the selector finds.
    pub async fn point_at(&self, css: &str) {
        let middle = format!(
            "(() => {{ const box = document.querySelector({css:?}).getBoundingClientRect(); \
             return [Math.round(box.x + Math.min(box.width, innerWidth) / 2), Math.round(box.y + box.height / 2)]; }})()"
        );
        let middle = self.value(&middle).await;
        let at = |axis: usize| middle[axis].as_i64().expect("a whole number");
        let (x, y) = (at(0), at(1));
        let to = PointerAction::MoveTo { duration: None, x: x as f64, y: y as f64 };
        let actions = MouseActions::new("mouse".to_owned()).then(to);
        self.client.perform_actions(actions).await.expect("the pointer can be moved");
    }
}

/// The key as WebDriver writes it.
pub fn key(key: Key) -> char {
    char::from(key)
}

/// Where no row and no event is.
pub const ELSEWHERE: &str = "header";
