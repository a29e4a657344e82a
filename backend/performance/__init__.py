"""How the models perform: sections planned, refined, told, joined."""
