//! Events of the system: a reader finds what follows by an index, whatever it asks for, and the number without looking at them.

use crate::bed::Bed;

#[tokio::test]
async fn the_events_that_follow_are_found_by_their_number_or_by_what_is_asked_for() {
    let bed = Bed::make().await;
    bed.execute(
        "ALTER TABLE system_events DISABLE TRIGGER USER;
         INSERT INTO system_events (seq, channel, kind, subject)
         SELECT n, CASE WHEN n % 10 = 0 THEN 'system_events' ELSE 'health_checks' END,
                CASE WHEN n % 1000 = 0 THEN 'queue.paused' ELSE 'health.checked' END, 's' || n % 5000
         FROM generate_series(1, 50000) AS n;
         UPDATE system_event_numbers SET last = 50000;
         ANALYZE;",
    )
    .await;
    let (any, after) = ("'{}'", super::recorded(&["FROM system_events", "seq > $1"]));
    for (what, channels, kinds, subject, index) in [
        ("any", any, any, "NULL", "system_events_seq"),
        ("one channel", "'{system_events}'", any, "NULL", "system_events_"),
        ("a rare kind", any, "'{queue.paused}'", "NULL", "system_events_by_kind"),
        ("one subject", any, any, "'s7'", "system_events_by_subject"),
    ] {
        let arguments = format!("0, 50000, {channels}, {kinds}, {subject}, 256");
        let plan = super::plan(&bed, &after, "force_custom_plan", &arguments).await;
        assert!(plan.contains(index) && !plan.contains("Seq Scan"), "{what}:\n{plan}");
    }
    let before = super::recorded(&["FROM system_events", "ORDER BY seq DESC"]);
    let plan =
        super::plan(&bed, &before, "force_generic_plan", "9223372036854775807, '{}', '{}', NULL, 50").await;
    assert!(plan.contains("Index Scan Backward using system_events_seq"), "{plan}");
}
