"""The words of `action` and `reason` in plans, reports and the audit log, and what they mean (docs/words.md).

Rule of this file: a word that people see stands here once; a test holds the list to the code.
"""

from __future__ import annotations

ACTIONS: dict[str, str] = {
    "create": "The twin of an entity is created.",
    "adopt": "Two entities that exist are linked: the look-up, or other connectors' links, found them.",
    "update": "Fields are written.",
    "delete": "The twin of a deleted entity is deleted.",
    "archive": "The twin of a deleted entity is put out of sight.",
    "mark": "The twin of a deleted entity is marked, and stays.",
    "recreate": "A deleted entity is created again from its twin.",
    "halt": "A conflict: nothing is written to either side until it is resolved.",
    "wait": "A value is held until it can be written; the other fields flow.",
    "fail": "Cannot be done as it is: goes to the failure list.",
    "skip": "Not done, for the reason given.",
}

REASONS: dict[str, str] = {
    # why something is written
    "new": "It has no twin yet.",
    "look_up": "The look-up found its twin.",
    "changed": "One side changed since both last agreed.",
    "drift": "The side that is not its owner was changed: the owner's value is put back.",
    "filled": "One side was empty.",
    "default": "The target field is empty and has a default.",
    "adopted": "The pair was just linked.",
    "mapping_changed": "The mapping or a value table changed; nobody edited since.",
    "latest": "Both sides changed; the later edit wins, as configured.",
    "left_wins": "Both sides changed; the left one wins, as configured.",
    "right_wins": "Both sides changed; the right one wins, as configured.",
    "resolved": "A steward decided.",
    "retried": "A held value is tried again.",
    "deleted": "The other side was deleted.",
    # why nothing is written
    "unchanged": "Nothing changed since both last agreed.",
    "false_conflict": "Both sides changed to equal values.",
    "not_ours": "A field that flows one way was edited on its target; it stays until the source changes.",
    "no_direction": "Values of this row flow to neither side now.",
    "new_only": "The mapping changed; linked pairs stay as they are (`on_mapping_change: new_only`).",
    "seen": "This version was handled before.",
    "other_row": "A row further up in the mapping takes it.",
    "failed_before": "It failed before: it is tried again when its pause is over, or when somebody edits it.",
    "waiting": "An earlier create of it is still uncertain: it is found out first, so that nothing doubles.",
    "comment_conflict": "People edited a comment and its twin: neither is overwritten.",
    "criteria": "The criteria leave it out.",
    "before_start_polling": "It last changed before the start of polling.",
    "not_permitted": "Permitted synchronization does not allow writing that side.",
    "no_twin": "The look-up found no twin, and its policy says skip.",
    "one_twin": "The look-up found one twin, and its policy says skip.",
    "many_twins": "The look-up found several twins, and its policy says skip.",
    "forbidden": "The system does not let us see it. That is not taken for deleted.",
    "not_read": "Its other side could not be read.",
    "gone": "Its other side is known to be deleted; the policy lets this one stay.",
    "delete_policy": "Its other side was deleted; the policy is skip.",
    "delete_fuse": "More would be deleted than the fuse allows: nothing is deleted.",
    "not_supported": "The system cannot do what the policy asks for.",
    "mapping_unconfirmed": "The mapping changed; `syncline activate NAME` applies it (`on_mapping_change: ask`).",
    # why an element halts
    "conflict": "Both sides changed the same field to different values.",
    "differs_at_adoption": "Both sides have different values, and `on_adopt` does not choose.",
    "oscillating": "The system moves the field again whenever it is put back.",
    # why a value is held
    "unmapped": "No row of the value table maps the value.",
    "unknown_user": "There is no such user on the other side.",
    "ambiguous_user": "Several users on the other side fit.",
    "unconvertible": "The value cannot be a value of the target field.",
    "empty": "The source is empty, and `on_empty` says hold or fail.",
    "rejected": "The system refused the value.",
    "ignored": "The system accepted the value and does not hold it.",
}
