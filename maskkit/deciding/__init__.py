"""From what models said to answers: averages, votes, fitted blends, consensus, tuned offsets."""
