# Law as Rego: 14 rules in force on 2026-11-25, as known on 2026-11-25
# ruleset test
# Not legal advice. Written by `comity law export`; change the law, not this file.
#
# Expressed:
# - for each rule in force whether it definitely applies and whether it possibly applies: unknown is the second without the first
# - conditions, scopes, conclusions and classes, exceptions and exceptions to exceptions, dates and states of law as of the day above
# - points of law that are unsettled: never more than possibly
# - `definitely`, `possibly`: the rules of the places of `input`; `unknown` is the second less the first
# - `not_allowed`: prohibitions that definitely apply in the market; `not_allowed_possibly`: those that possibly do; `ruled`: false where no binding law is exported, so that nothing can be told
# Left out:
# - what follows from facts by the vocabulary (places, constraints): the input states it, `comity law export --input` writes it
# - whether a duty is met, whose it is, and so `allowed-if` and `allowed`: they need the controls of a manifest; `comity check` has them
# - proofs, other days, and law that is not in force
# Not in force on this day, so that they never apply:
# - aa/act:bill (§ 12): a bill
# - aa/act:late (§ 11): from 2030-01-01

package comity

import rego.v1

answer := {
  "definitely": definitely,
  "possibly": possibly,
  "unknown": unknown,
  "not_allowed": not_allowed,
  "not_allowed_possibly": not_allowed_possibly,
  "ruled": ruled,
}

unknown := possibly - definitely

not_allowed := definitely & prohibitions

not_allowed_possibly := possibly & prohibitions

default ruled := false

ruled if { some place in input.places; place in {"AA", "UU"} }

# Whatever is exported, the set is there.
definitely contains "" if false
definitely contains "aa/act:always" if { "AA" in input.places; yes_rule_aa_act_always }
definitely contains "aa/act:ban" if { "AA" in input.places; yes_rule_aa_act_ban }
definitely contains "aa/act:big" if { "AA" in input.places; yes_rule_aa_act_big }
definitely contains "aa/act:despite" if { "AA" in input.places; yes_rule_aa_act_despite }
definitely contains "aa/act:duty" if { "AA" in input.places; yes_rule_aa_act_duty }
definitely contains "aa/act:except" if { "AA" in input.places; yes_rule_aa_act_except }
definitely contains "aa/act:has" if { "AA" in input.places; yes_rule_aa_act_has }
definitely contains "aa/act:known" if { "AA" in input.places; yes_rule_aa_act_known }
definitely contains "aa/act:none" if { "AA" in input.places; yes_rule_aa_act_none }
definitely contains "aa/act:not-all" if { "AA" in input.places; yes_rule_aa_act_not_all }
definitely contains "aa/act:scope" if { "AA" in input.places; yes_rule_aa_act_scope }
definitely contains "aa/act:since" if { "AA" in input.places; yes_rule_aa_act_since }
definitely contains "aa/act:unsettled" if { "AA" in input.places; yes_rule_aa_act_unsettled }
definitely contains "uu/act:seat" if { "UU" in input.places; yes_rule_uu_act_seat }

# Whatever is exported, the set is there.
possibly contains "" if false
possibly contains "aa/act:always" if { "AA" in input.places; may_rule_aa_act_always }
possibly contains "aa/act:ban" if { "AA" in input.places; may_rule_aa_act_ban }
possibly contains "aa/act:big" if { "AA" in input.places; may_rule_aa_act_big }
possibly contains "aa/act:despite" if { "AA" in input.places; may_rule_aa_act_despite }
possibly contains "aa/act:duty" if { "AA" in input.places; may_rule_aa_act_duty }
possibly contains "aa/act:except" if { "AA" in input.places; may_rule_aa_act_except }
possibly contains "aa/act:has" if { "AA" in input.places; may_rule_aa_act_has }
possibly contains "aa/act:known" if { "AA" in input.places; may_rule_aa_act_known }
possibly contains "aa/act:none" if { "AA" in input.places; may_rule_aa_act_none }
possibly contains "aa/act:not-all" if { "AA" in input.places; may_rule_aa_act_not_all }
possibly contains "aa/act:scope" if { "AA" in input.places; may_rule_aa_act_scope }
possibly contains "aa/act:since" if { "AA" in input.places; may_rule_aa_act_since }
possibly contains "aa/act:unsettled" if { "AA" in input.places; may_rule_aa_act_unsettled }
possibly contains "uu/act:seat" if { "UU" in input.places; may_rule_uu_act_seat }

prohibitions := {"aa/act:ban", "aa/act:none", "aa/act:since", "aa/act:unsettled", "uu/act:seat"}

# The bounds that rules test, by fact: what positions count.
scales := {"market.since":["2025-01-01","2026-01-01"],"t.count":["2","4"],"t.flop":["10000000000000000000000000","1000000000000000000000000000"]}

# aa/act:always: § 13 (Act 1)
# require, in force from 2024-01-01 · aa/act.yaml:30
yes_rule_aa_act_always if true
may_rule_aa_act_always if true

# aa/act:despite: § 5 (Act 1)
# defeats, in force from 2024-01-01 · aa/act.yaml:22
yes_rule_aa_act_despite if { not may_t_kind_is_blue; not may_market_here_AA_is_true }
may_rule_aa_act_despite if { not yes_t_kind_is_blue; not yes_market_here_AA_is_true }

# aa/act:except: § 4 (Act 1)
# defeats, in force from 2024-01-01 · aa/act.yaml:21
part_1_of_yes_rule_aa_act_except contains 0 if { yes_t_b_is_true }
part_1_of_yes_rule_aa_act_except contains 1 if { yes_t_c_is_false }
part_1_of_yes_rule_aa_act_except contains 2 if { yes_t_uses_only_three }
yes_rule_aa_act_except if { count(part_1_of_yes_rule_aa_act_except) >= 2; not may_rule_aa_act_despite }
part_2_of_may_rule_aa_act_except contains 0 if { may_t_b_is_true }
part_2_of_may_rule_aa_act_except contains 1 if { may_t_c_is_false }
part_2_of_may_rule_aa_act_except contains 2 if { may_t_uses_only_three }
may_rule_aa_act_except if { count(part_2_of_may_rule_aa_act_except) >= 2; not yes_rule_aa_act_despite }

# aa/act:scope: § 1 (Act 1)
# define, in force from 2024-01-01 · aa/act.yaml:18
yes_rule_aa_act_scope if { yes_t_a_is_true }
yes_rule_aa_act_scope if { yes_t_kind_in_green_red }
may_rule_aa_act_scope if { may_t_a_is_true }
may_rule_aa_act_scope if { may_t_kind_in_green_red }

# aa.act.in_scope is concluded
yes_concluded_aa_act_in_scope if { yes_rule_aa_act_scope }
may_concluded_aa_act_in_scope if { may_rule_aa_act_scope }

# aa/act:big: § 2 (Act 1)
# classify, in force from 2024-01-01 · aa/act.yaml:19
yes_rule_aa_act_big if { yes_concluded_aa_act_in_scope; yes_t_flop_gt_10000000000000000000000000; not may_t_flop_gte_1000000000000000000000000000 }
may_rule_aa_act_big if { may_concluded_aa_act_in_scope; may_t_flop_gt_10000000000000000000000000; not yes_t_flop_gte_1000000000000000000000000000 }

# aa.act.big is concluded
yes_concluded_aa_act_big if { yes_rule_aa_act_big }
may_concluded_aa_act_big if { may_rule_aa_act_big }

# aa/act:ban: § 3 "quoted" \ */ | ; # // (Act 1)
# prohibit, in force from 2024-01-01, until 2027-01-01 · aa/act.yaml:20
yes_rule_aa_act_ban if { yes_concluded_aa_act_in_scope; yes_concluded_aa_act_big; yes_t_uses_has_one_two; not may_rule_aa_act_except }
may_rule_aa_act_ban if { may_concluded_aa_act_in_scope; may_concluded_aa_act_big; may_t_uses_has_one_two; not yes_rule_aa_act_except }

# aa/act:duty: § 6 (Act 1)
# require, in force from 2024-01-01 · aa/act.yaml:23
part_3_of_yes_rule_aa_act_duty contains 0 if { not may_t_a_is_true }
part_3_of_yes_rule_aa_act_duty contains 1 if { not may_t_b_is_true }
part_3_of_yes_rule_aa_act_duty contains 2 if { yes_concluded_aa_act_big }
yes_rule_aa_act_duty if { yes_concluded_aa_act_in_scope; count(part_3_of_yes_rule_aa_act_duty) >= 2 }
part_4_of_may_rule_aa_act_duty contains 0 if { not yes_t_a_is_true }
part_4_of_may_rule_aa_act_duty contains 1 if { not yes_t_b_is_true }
part_4_of_may_rule_aa_act_duty contains 2 if { may_concluded_aa_act_big }
may_rule_aa_act_duty if { may_concluded_aa_act_in_scope; count(part_4_of_may_rule_aa_act_duty) >= 2 }

# aa/act:has: § 14 (Act 1)
# permit, in force from 2024-01-01 · aa/act.yaml:31
yes_rule_aa_act_has if { yes_t_uses_has_one_two }
may_rule_aa_act_has if { may_t_uses_has_one_two }

# aa/act:known: § 8 (Act 1)
# permit, in force from 2024-01-01 · aa/act.yaml:25
yes_rule_aa_act_known if { yes_concluded_aa_act_in_scope; yes_t_kind_known; yes_t_uses_known; yes_market_since_known; yes_t_b_known }
may_rule_aa_act_known if { may_concluded_aa_act_in_scope; may_t_kind_known; may_t_uses_known; may_market_since_known; may_t_b_known }

# aa/act:none: § 9 (Act 1)
# prohibit, in force from 2024-01-01 · aa/act.yaml:26
yes_rule_aa_act_none if { yes_concluded_aa_act_in_scope; yes_t_uses_only }
may_rule_aa_act_none if { may_concluded_aa_act_in_scope; may_t_uses_only }

# aa/act:not-all: § 15 (Act 1)
# permit, in force from 2024-01-01 · aa/act.yaml:32
yes_rule_aa_act_not_all if { not may_t_a_is_true }
yes_rule_aa_act_not_all if { not may_t_c_is_true }
may_rule_aa_act_not_all if { not yes_t_a_is_true }
may_rule_aa_act_not_all if { not yes_t_c_is_true }

# aa/act:since: § 10 (Act 1)
# prohibit, in force from 2024-01-01 · aa/act.yaml:27
yes_rule_aa_act_since if { yes_concluded_aa_act_in_scope; yes_market_since_gt_2025_01_01_lte_2026_01_01 }
may_rule_aa_act_since if { may_concluded_aa_act_in_scope; may_market_since_gt_2025_01_01_lte_2026_01_01 }

# aa/act:unsettled: § 7 (Act 1)
# prohibit, in force from 2024-01-01 · aa/act.yaml:24
# unsettled: two readings
yes_rule_aa_act_unsettled if false
may_rule_aa_act_unsettled if { may_concluded_aa_act_in_scope; may_t_count_gte_2_lt_4 }

# uu/act:seat: § 1 (Act 1)
# prohibit, in force from 2024-01-01 · uu/act.yaml:17
yes_rule_uu_act_seat if { yes_market_here_UU_is_true }
may_rule_uu_act_seat if { may_market_here_UU_is_true }

# Tests on facts.
may_t_kind_is_blue if not input.facts["t.kind"]
may_t_kind_is_blue if { some word in input.facts["t.kind"].possible; word in {"blue"} }

may_market_here_AA_is_true if not input.facts["market.here@AA"]
may_market_here_AA_is_true if { some word in input.facts["market.here@AA"].possible; word in {"true"} }

yes_t_kind_is_blue if { every word in input.facts["t.kind"].possible { word in {"blue"} } }

yes_market_here_AA_is_true if { every word in input.facts["market.here@AA"].possible { word in {"true"} } }

yes_t_b_is_true if { every word in input.facts["t.b"].possible { word in {"true"} } }

yes_t_c_is_false if { every word in input.facts["t.c"].possible { word in {"false"} } }

yes_t_uses_only_three if { every word in input.facts["t.uses"].possible { word in {"three"} } }

may_t_b_is_true if not input.facts["t.b"]
may_t_b_is_true if { some word in input.facts["t.b"].possible; word in {"true"} }

may_t_c_is_false if not input.facts["t.c"]
may_t_c_is_false if { some word in input.facts["t.c"].possible; word in {"false"} }

may_t_uses_only_three if not input.facts["t.uses"]
may_t_uses_only_three if { every word in input.facts["t.uses"].certain { word in {"three"} } }

yes_t_a_is_true if { every word in input.facts["t.a"].possible { word in {"true"} } }

yes_t_kind_in_green_red if { every word in input.facts["t.kind"].possible { word in {"green", "red"} } }

may_t_a_is_true if not input.facts["t.a"]
may_t_a_is_true if { some word in input.facts["t.a"].possible; word in {"true"} }

may_t_kind_in_green_red if not input.facts["t.kind"]
may_t_kind_in_green_red if { some word in input.facts["t.kind"].possible; word in {"green", "red"} }

yes_t_flop_gt_10000000000000000000000000 if { input.facts["t.flop"].low >= 2 }

may_t_flop_gte_1000000000000000000000000000 if not input.facts["t.flop"]
may_t_flop_gte_1000000000000000000000000000 if { input.facts["t.flop"].high >= 3 }

may_t_flop_gt_10000000000000000000000000 if not input.facts["t.flop"]
may_t_flop_gt_10000000000000000000000000 if { input.facts["t.flop"].high >= 2 }

yes_t_flop_gte_1000000000000000000000000000 if { input.facts["t.flop"].low >= 3 }

yes_t_uses_has_one_two if { some word in input.facts["t.uses"].certain; word in {"one", "two"} }

may_t_uses_has_one_two if not input.facts["t.uses"]
may_t_uses_has_one_two if { some word in input.facts["t.uses"].possible; word in {"one", "two"} }

yes_t_kind_known if { count(input.facts["t.kind"].possible) == 1 }

yes_t_uses_known if { every word in input.facts["t.uses"].possible { word in input.facts["t.uses"].certain } }

yes_market_since_known if { input.facts["market.since"].known }

yes_t_b_known if { count(input.facts["t.b"].possible) == 1 }

may_t_kind_known if not input.facts["t.kind"]
may_t_kind_known if { input.facts["t.kind"] }

may_t_uses_known if not input.facts["t.uses"]
may_t_uses_known if { input.facts["t.uses"] }

may_market_since_known if not input.facts["market.since"]
may_market_since_known if { input.facts["market.since"] }

may_t_b_known if not input.facts["t.b"]
may_t_b_known if { input.facts["t.b"] }

yes_t_uses_only if { every word in input.facts["t.uses"].possible { word in set() } }

may_t_uses_only if not input.facts["t.uses"]
may_t_uses_only if { every word in input.facts["t.uses"].certain { word in set() } }

may_t_c_is_true if not input.facts["t.c"]
may_t_c_is_true if { some word in input.facts["t.c"].possible; word in {"true"} }

yes_t_c_is_true if { every word in input.facts["t.c"].possible { word in {"true"} } }

yes_market_since_gt_2025_01_01_lte_2026_01_01 if { input.facts["market.since"].low >= 2; input.facts["market.since"].high <= 3 }

may_market_since_gt_2025_01_01_lte_2026_01_01 if not input.facts["market.since"]
may_market_since_gt_2025_01_01_lte_2026_01_01 if { input.facts["market.since"].high >= 2; input.facts["market.since"].low <= 3 }

may_t_count_gte_2_lt_4 if not input.facts["t.count"]
may_t_count_gte_2_lt_4 if { input.facts["t.count"].high >= 1; input.facts["t.count"].low <= 2 }

yes_market_here_UU_is_true if { every word in input.facts["market.here@UU"].possible { word in {"true"} } }

may_market_here_UU_is_true if not input.facts["market.here@UU"]
may_market_here_UU_is_true if { some word in input.facts["market.here@UU"].possible; word in {"true"} }

