use crate::{
    job::Case,
    plan, results,
    targets::{self, Against},
};

fn is_planned(place: results::Place) -> bool {
    let has = |row: &plan::Row| {
        row.case == place.case && row.options == place.options && row.sizes.contains(&place.n)
    };
    plan::rows().iter().any(has)
}

#[test]
fn the_plan_measures_what_every_target_needs() {
    for target in targets::all() {
        let place = target.place();
        let sizes = match target.against {
            Against::Growth(_) => vec![plan::GROWTH.0, plan::GROWTH.1],
            Against::Peers(_) | Against::Bound => vec![place.n],
        };
        for n in sizes {
            assert!(is_planned(results::Place { n, ..place }), "{target:?}, n = {n}");
        }
    }
}

#[test]
fn every_case_is_found_by_its_name() {
    for case in Case::ALL {
        assert_eq!(Case::named(case.label()), Some(case));
    }
}

#[test]
fn round_numbers_are_told_in_short() {
    let told = [1, 999, 1_000, 1_500, 10_000, 1_000_000].map(results::short);
    assert_eq!(told, ["1", "999", "1k", "1500", "10k", "1M"]);
}
