"""The words of the evidence table in Spanish."""

from __future__ import annotations

#: the words of the table in Spanish, longest first where one holds another
SPANISH = {
    " customers: calibration error of P(pays in 30 days), by preset, each seed": (
        " clientes: error de calibración de P(paga en 30 días), por escenario, cada semilla"
    ),
    " customers: money expected over the mean of twelve true windows, by preset, each seed": (
        " clientes: dinero esperado sobre la media de doce ventanas verdaderas, por escenario, "
        "cada semilla"
    ),
    "Simulated, differences of the effect planted or none, ": (
        "Simulado, diferencias del efecto plantadas o ninguna, "
    ),
    " decisions: share of ": " decisiones: parte de ",
    " seeds (95 %)": " semillas (95 %)",
    "beats constant and response": "supera a constante y respuesta",
    "constant chosen": "elige la constante",
    "two actions:": "dos acciones:",
    "equal effect:": "efecto igual:",
    "no effect:": "sin efecto:",
    "threshold:": "umbral:",
    "| what | figure | command |": "| qué | cifra | comando |",
    "Simulated, frozen preset": "Simulación con parámetros fijos",
    "Simulated, all latent parameters redrawn": (
        "Simulación con todos los parámetros ocultos sorteados de nuevo"
    ),
    "true value of the plan, share of the oracle's": (
        "valor verdadero del plan, como parte del valor del oráculo"
    ),
    "best rival (": "mejor rival (",
    "LP on static scores": "programa lineal con puntajes fijos",
    "ahead by": "ventaja de",
    " seeds |": " semillas |",
    ", on ": ", en ",
    "Real card accounts (UCI default of credit card clients, CC BY 4.0, ": (
        "Cuentas reales de tarjeta (UCI default of credit card clients, CC BY 4.0, "
    ),
    " rows), pays next month, ": " filas), paga el mes siguiente, ",
    "calibration error": "error de calibración",
    " to 0.": " a 0.",
    "Fit on ": "Ajuste con ",
    " touches; rank ": " gestiones; plan para ",
    " customers with ": " clientes con ",
    " customers x ": " clientes x ",
    " actions, 100 days of history": " acciones, 100 días de historia",
    "| fit ": "| ajuste ",
    " GB; rank ": " GB; plan ",
    " s, peak ": " s, máximo ",
    "2 cores, one run": "2 núcleos, una corrida",
    "Simulated, same customers, channels and volume, only the hour chosen": (
        "Simulación, los mismos clientes, canales y volumen, solo se elige la hora"
    ),
    "Simulated, channel and hour chosen": "Simulación, se eligen canal y hora",
    "payments over the incumbent": "pagos sobre el régimen vigente",
    "; the oracle ": "; el oráculo ",
    "% to ": "% a ",
    " worlds)": " mundos)",
    "Features at every event of real phone logs (CNS, ": (
        "Variables en cada evento de registros telefónicos reales (CNS, "
    ),
    " people): batch against replay": " personas): lote contra repetición",
    " cells differ": " celdas difieren",
    " moments x ": " momentos x ",
    " columns": " columnas",
    "Simulated year, ": "Año simulado, ",
    " customers, with orchestration: contacts in promise silence, second on one day, to a dead ": (
        " clientes, con orquestación: contactos en silencio de promesa, segundos en un día, "
        "a un dato "
    ),
    "point, by another channel": "muerto, por otro canal",
    "contacts per resolved debt": "contactos por deuda resuelta",
    "Real data, card accounts already late, pays next month": (
        "Datos reales, cuentas de tarjeta ya en mora, paga el mes siguiente"
    ),
    "Real data, bank calls in later months, without the call's length": (
        "Datos reales, llamadas de un banco en meses posteriores, sin su duración"
    ),
    "Real data, borrowers ever past due": "Datos reales, deudores alguna vez en mora",
    "Real data, takes up a mailed offer": "Datos reales, acepta una oferta por correo",
    "Real data, turnout mailing, uplift": "Datos reales, correo sobre el voto, efecto",
    " rows, ": " filas, ",
    " seeds), ": " semillas), ",
    "| ours ": "| el nuestro ",
    "logistic regression": "regresión logística",
    "Random decisions over all ": "Decisiones al azar con los ",
    " rule packs, each judged by the slow readable evaluator": (
        " paquetes de reglas, cada una juzgada por el evaluador lento y legible"
    ),
    " violations in ": " infracciones en ",
    "Draw, ": "Sorteo, ",
    " seeds: per-customer chi-square, mean z², counting rows off": (
        " semillas: ji cuadrado por cliente, z² medio, filas de conteo fuera"
    ),
    "Prices and draw: ": "Precios y sorteo: ",
    " capacity rows | ": " filas de capacidad | ",
    " s to a certified gap of ": " s hasta una brecha certificada de ",
    "; draw ": "; sorteo ",
    " rows exceeded (": " filas excedidas (",
    " times as fast as OR-tools PDLP (": " veces más rápido que PDLP de OR-tools (",
    " threads)": " hilos)",
    "Mask with reasons: ": "Máscara con motivos: ",
    "Simulated month in which contacts change nothing, ": (
        "Mes simulado en que los contactos no cambian nada, "
    ),
    " worlds | contacts per customer and day ": " mundos | contactos por cliente y día ",
    " (ours less it ": " (el nuestro menos ella ",
    " in the first five days, ": " en los primeros cinco días, ",
    " in the last; net money ": " en los últimos; dinero neto ",
    " of them control, ": " de ellos de control, ",
    " worlds each | where contacts help ": " mundos de cada clase | donde los contactos ayudan ",
    "; where they change nothing ": "; donde no cambian nada ",
    " contacts per customer and day at first, ": " contactos por cliente y día al principio, ",
    " in the last five days, lift promised ": " en los últimos cinco días, aporte prometido ",
    " of a payer's money, found ": " del dinero de un pagador, hallado ",
    "Simulated month, ": "Mes simulado, ",
    " customers: net money per customer, all payments counted": (
        " clientes: dinero neto por cliente, con todos los pagos"
    ),
    ", exploration and control gave up ": "; exploración y control dejaron ",
    " of one-step value, ": " de valor a un paso, ",
    " planned; the others (ours less it, 95 %, mundos): ": (
        " previsto; las demás (la nuestra menos ella, 95 %, mundos): "
    ),
    " customers, ": " clientes, ",
    "Rank, tables grown by a day with late rows and reversals, update: ": (
        "Planificar, tablas que crecen un día con filas tardías y reversiones, aprender: "
    ),
    " times, ": " veces, ",
    " decisions | ": " decisiones | ",
    "every command in a fresh process, one process, and one replay from the tables: ": (
        "cada orden en un proceso nuevo, un solo proceso, y una repetición desde las tablas: "
    ),
    "the same bundle bit for bit": "el mismo paquete bit a bit",
    "different bundles": "paquetes distintos",
    "constant ": "constante ",
    "fixed waterfall": "cascada fija",
    "voice only": "solo voz",
    "most engaged": "la mejor respuesta",
    " touches, ": " gestiones, ",
    " actions, five jurisdictions": " acciones, cinco jurisdicciones",
    " workers)": " procesos)",
    "Contextual bandit, task ": "Bandido contextual, tarea ",
    ": true regret over that of the best other (": (
        ": pérdida verdadera respecto de la del mejor de los demás ("
    ),
    ", 95 % over ": ", 95 %, ",
    " seeds); uniform policy's effective sample ": (
        " semillas); muestra efectiva de la política uniforme "
    ),
    ": rounds per second |": ": rondas por segundo |",
    " by the clock, ": " por reloj, ",
    " by processor time (": " por tiempo de procesador (",
    "); our rounds per second over theirs in one run (seeds): ": (
        "); nuestras rondas por segundo sobre las suyas en una misma corrida (semillas): "
    ),
    " without it; money per customer ": " sin ella; dinero por cliente ",
    " actions, ": " acciones, ",
    "Simulated, ": "Simulado, ",
}
