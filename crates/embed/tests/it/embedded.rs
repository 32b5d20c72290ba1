//! The model that is part of the program.

use hive_embed::{Config, Embedder, Kind, MINI_LM};

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

async fn documents(embedder: &Embedder, texts: &[&str]) -> Vec<Vec<f32>> {
    let texts: Vec<String> = texts.iter().map(|&text| text.to_owned()).collect();
    embedder.embed(&texts, Kind::Document).await.unwrap()
}

/// The model's card names 0.695, 0.943 and 0.257 for these pairs. Eight bits move them by a few hundredths.
#[tokio::test]
async fn known_pairs_have_their_scores() {
    let embedder = Embedder::open(&Config::embedded()).unwrap();
    assert_eq!((embedder.model(), embedder.dimensions()), (MINI_LM, 384));
    let texts = [
        "That is a happy person",
        "That is a happy dog",
        "That is a very happy person",
        "Today is a sunny day",
    ];
    let vectors = documents(&embedder, &texts).await;
    for (other, expected) in [(1, 0.6946), (2, 0.9429), (3, 0.2569)] {
        let score = cosine(&vectors[0], &vectors[other]);
        assert!((score - expected).abs() < 0.04, "{}: {score}", texts[other]);
    }
    for vector in &vectors {
        assert_eq!(vector.len(), 384);
        assert!((cosine(vector, vector) - 1.0).abs() < 1e-3);
    }
}

/// Texts that run together share the scale of their 8 bits, which moves a vector a little.
#[tokio::test]
async fn a_text_has_its_own_vector_whatever_runs_beside_it() {
    let embedder = Embedder::open(&Config::embedded()).unwrap();
    let long = "The deployment failed because the certificate had expired. ".repeat(20);
    let texts = ["rotate the signing key", &long, "", "lunch is at noon", "rotate the signing key"];
    let together = documents(&embedder, &texts).await;
    for (text, vector) in texts.iter().zip(&together) {
        let alone = documents(&embedder, &[text]).await;
        let score = cosine(&alone[0], vector);
        assert!(score > 0.95, "{text:?} has {score} with itself");
    }
    assert!(cosine(&together[0], &together[3]) < 0.5);
}

#[tokio::test]
async fn many_callers_at_once_get_their_own_answers() {
    let embedder = Embedder::open(&Config::embedded()).unwrap();
    let texts: Vec<String> = (0..40).map(|n| format!("invoice number {n} of customer {}", n * 7)).collect();
    let expected = embedder.embed(&texts, Kind::Document).await.unwrap();
    let mut asked = Vec::new();
    for text in &texts {
        let (embedder, text) = (embedder.clone(), text.clone());
        asked.push(tokio::spawn(async move { embedder.embed(&[text], Kind::Query).await.unwrap() }));
    }
    for (number, answer) in asked.into_iter().enumerate() {
        let answer = answer.await.unwrap();
        let best = (0..texts.len())
            .max_by(|a, b| cosine(&answer[0], &expected[*a]).total_cmp(&cosine(&answer[0], &expected[*b])));
        assert_eq!(best, Some(number));
    }
}
