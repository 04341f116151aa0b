//! Published figures that a set is drawn against, with what their protocol was.

/// A published method's rates.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Anchor {
    /// What it was.
    pub name: &'static str,
    /// Its true accept rates: (FMR, TAR).
    pub points: &'static [(f64, f64)],
    /// How it was measured, and why it is not quite the same thing.
    pub protocol: &'static str,
}

const RESNET_PROTOCOL: &str = "A ResNet-50 with ArcFace trained on real palms of the same database, \
    open set: the people tested are not those trained on, but the camera and the light are. Ready-made \
    crops, as here.";

const TONGJI: Anchor = Anchor {
    name: "ResNet-50 + ArcFace on Tongji",
    points: &[(1e-4, 0.9724), (1e-5, 0.9581), (1e-6, 0.9219)],
    protocol: RESNET_PROTOCOL,
};
const CASIA: Anchor = Anchor {
    name: "ResNet-50 + ArcFace on CASIA",
    points: &[(1e-4, 0.9586), (1e-5, 0.9407), (1e-6, 0.9186)],
    protocol: RESNET_PROTOCOL,
};
const POLYU: Anchor = Anchor {
    name: "ResNet-50 + ArcFace on PolyU",
    points: &[(1e-4, 0.9610), (1e-5, 0.9411), (1e-6, 0.9109)],
    protocol: RESNET_PROTOCOL,
};
const PALM_ID: Anchor = Anchor {
    name: "Palm-ID (ViT and CNN)",
    points: &[(1e-4, 0.9806)],
    protocol: "Trained on real palms and measured on its authors' own time-separated set, which is \
        not public: another camera, other people, whole pictures.",
};

/// The figures that a set of this name is drawn against.
#[must_use]
pub fn anchors(set: &str) -> Vec<Anchor> {
    let own = [("tongji", TONGJI), ("casia", CASIA), ("polyu", POLYU)];
    let own = own.into_iter().filter(|(prefix, _)| set.starts_with(prefix));
    own.map(|(_, anchor)| anchor).chain([PALM_ID]).collect()
}

/// A figure that is wanted of a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub enum Figure {
    /// TAR at a named FMR: at least.
    Tar(&'static str),
    /// EER: at most.
    Eer,
    /// Failure to acquire: at most.
    Fta,
    /// FNIR at FPIR 0.1 % with 10,000 enrolled, three samples fused and the best of three frames: at
    /// most.
    FnirOfThree,
}

/// What is wanted of a set's figure, as a fraction of one.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Aim {
    /// The figure.
    pub figure: Figure,
    /// Its bound.
    pub bound: f64,
}

const fn aim(figure: Figure, bound: f64) -> Aim {
    Aim { figure, bound }
}

/// What is wanted of sets of this name, single sample against single sample where the figure says no
/// more: better than what is published on the same database, on crops and whole pictures apart.
#[must_use]
pub fn aims(set: &str) -> Vec<Aim> {
    use Figure::{Eer, FnirOfThree, Fta, Tar};
    match set {
        "tongji-roi" => vec![
            aim(Tar("1e-4"), 0.997),
            aim(Tar("1e-5"), 0.995),
            aim(Tar("1e-6"), 0.990),
            aim(Eer, 0.0005),
            aim(FnirOfThree, 0.02),
        ],
        "polyu-green-roi" | "polyu-nir-roi" => {
            vec![aim(Tar("1e-4"), 0.999), aim(Tar("1e-5"), 0.997), aim(Eer, 0.0002)]
        }
        "casia-white-roi" | "casia-nir850-roi" => vec![aim(Tar("1e-3"), 0.93), aim(Eer, 0.035)],
        "coep-hand" => vec![aim(Fta, 0.01), aim(Eer, 0.01)],
        "polyu-nir-palm" | "contactless-nir-palm" => vec![aim(Fta, 0.01), aim(Eer, 0.003)],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_drawn_against_its_own_database() {
        let names = |set| anchors(set).into_iter().map(|a| a.name).collect::<Vec<_>>();
        assert_eq!(names("tongji-roi"), [TONGJI.name, PALM_ID.name]);
        assert_eq!(names("polyu-green-roi + polyu-nir-roi"), [POLYU.name, PALM_ID.name]);
        assert_eq!(names("somebody-elses"), [PALM_ID.name]);
    }
}
