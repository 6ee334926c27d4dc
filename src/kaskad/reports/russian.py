"""The sentences of report.html in Russian, by what they are in English."""

RUSSIAN = {
    # the verdict and what the model is
    "Of %(utterances)s utterances %(exact)s are exactly right": (
        "Без единой ошибки распознано реплик: %(exact)s из %(utterances)s"
    ),
    "there are %(errors)s errors in %(words)s words": "ошибок: %(errors)s на %(words)s слов",
    "parameters": "параметров",
    "MB of weights": "вес модели, МБ",
    "MB of memory at the peak of the process": "память процесса в пике, МБ",
    "MB on the GPU": "память видеокарты, МБ",
    "minutes of training": "минут обучения",
    "epochs": "эпох",
    "seed": "начальное случайное число",
    "checkpoint": "чекпойнт",
    # learning curves
    "Learning curves": "Кривые обучения",
    "learning curves": "кривые обучения",
    "epoch": "эпоха",
    "loss": "потери на обучении",
    "validation loss": "потери на валидации",
    "balanced error": "сбалансированная ошибка",
    "perplexity of a word": "перплексия на слово",
    "from %(first)s to %(last)s, at best %(best)s": (
        "от %(first)s до %(last)s, лучшее значение %(best)s"
    ),
    # a corpus
    "utterances": "реплик",
    "utterance": "реплика",
    "minutes of audio": "минут звука",
    "real-time factor": "скорость (RTF)",
    "seconds of computing for a second of audio": "секунд вычислений на секунду звука",
    "skipped": "пропущено",
    "words a minute in recordings without speech": "слов в минуту в записях без речи",
    "not decoded": "не декодировано",
    "No utterance of this corpus could be read: there are no figures.": (
        "Ни одну реплику этого корпуса не удалось прочитать: показателей нет."
    ),
    "Below each figure: its 95 %% interval, by bootstrap over the %(number)s speakers.": (
        "Под показателем его 95%%-й доверительный интервал: бутстрэп по дикторам (%(number)s)."
    ),
    "With so few speakers it is only a hint.": "При таком числе дикторов это лишь намёк.",
    "Below each figure: its 95 %% interval, by bootstrap over utterances.": (
        "Под показателем его 95%%-й доверительный интервал: бутстрэп по репликам."
    ),
    "errors of": "ошибки по единицам",
    "in references": "в эталонах",
    "substituted": "замены",
    "deleted": "пропуски",
    "inserted": "вставки",
    "words": "слова",
    "characters": "символы",
    "letters": "буквы",
    "phones": "фонемы",
    "digits": "цифры",
    # confidence
    "Confidence": "Уверенность",
    "Of the %(words)s words in the hypotheses %(right)s are right; their mean confidence is "
    "%(sure)s.": (
        "Слов в гипотезах: %(words)s, из них верны %(right)s; средняя уверенность %(sure)s."
    ),
    "Expected calibration error: %(error)s; decoder.temperature=%(temperature)s would suit these "
    "words best.": (
        "Ожидаемая ошибка калибровки: %(error)s; этим словам лучше всего подошло бы "
        "decoder.temperature=%(temperature)s."
    ),
    "accuracy by confidence": "доля верных слов по уверенности",
    "confidence from": "уверенность от",
    "mean confidence": "средняя уверенность",
    "right": "верно",
    "words below a threshold": "слова ниже порога",
    "threshold": "порог",
    "of the wrong words": "из неверных слов",
    "of the right words": "из верных слов",
    # what goes wrong
    "Utterances by WER": "Реплики по WER",
    "histogram of utterances by WER": "гистограмма реплик по WER",
    "WER of the utterance, %%; the number is the upper end of a bar": (
        "WER реплики, %%; число — верхняя граница столбца"
    ),
    "Errors by group": "Ошибки по группам",
    "%(figure)s, 95 %% interval": "%(figure)s, 95%%-й интервал",
    "%(number)s more with fewer errors": "ещё %(number)s, где ошибок меньше",
    "speaker": "диктор",
    "gender": "пол",
    "language": "язык",
    "length": "длительность",
    "female": "женщины",
    "male": "мужчины",
    "up to 1 s": "до 1 с",
    "1–2 s": "1–2 с",
    "2–3 s": "2–3 с",
    "3–5 s": "3–5 с",
    "5–8 s": "5–8 с",
    "8–12 s": "8–12 с",
    "12–20 s": "12–20 с",
    "over 20 s": "больше 20 с",
    "Numbers": "Числа",
    "numbers": "чисел",
    "by number of digits": "по числу цифр",
    "by place value": "по разряду",
    "place": "разряд",
    "wrong": "неверно",
    "95 %% interval": "95%%-й интервал",
    "no number": "без числа",
    "Where the hypothesis is no number, every digit counts as wrong.": (
        "Если в гипотезе нет числа, неверной считается каждая цифра."
    ),
    "Confusions": "Что с чем путается",
    "of %(number)s": "из %(number)s",
    "%(some)s of %(all)s": "%(some)s из %(all)s",
    "reference": "эталон",
    "hypothesis": "гипотеза",
    "Worst utterances": "Худшие реплики",
    "reference above, hypothesis below:": "сверху эталон, снизу гипотеза:",
    "reference and hypothesis are empty": "эталон и гипотеза пусты",
    "nearest in the training part": "ближайшее в обучающей части",
    "similarity": "сходство",
    "same as the reference": "как в эталоне",
    "same as the hypothesis": "как в гипотезе",
    "Every utterance is exactly right.": "Каждая реплика распознана без ошибок.",
    "Random examples": "Случайные примеры",
    "Not decoded": "Не декодировано",
    "These count as empty hypotheses in all figures.": (
        "Во всех показателях они считаются пустыми гипотезами."
    ),
    "why": "почему",
    "Phones": "Фонемы",
    "phone": "фонема",
    "recognised": "распознано",
    "most frequent substitution": "самая частая замена",
    "nothing": "ничего",
    # what was shared, and what was skipped
    "Shared by training and test": "Общее у обучения и теста",
    "corpus": "корпус",
    "what": "что",
    "of training": "из обучения",
    "policy": "правило",
    "for example": "пример",
    "What was dropped is not used in training; overlap.csv names every utterance.": (
        "Отброшенного в обучении нет; все реплики перечислены в overlap.csv."
    ),
    "Nothing was found.": "Ничего не найдено.",
    "Not looked for:": "Не искали:",
    "recording": "запись",
    "near duplicate": "почти такая же запись",
    "id": "идентификатор",
    "transcript": "текст",
    "Skipped": "Пропущено",
    "reason": "причина",
    "%(number)s in all; skipped.csv names every one.": (
        "Всего %(number)s; все перечислены в skipped.csv."
    ),
    # figures
    "WER, ё as е": "WER, ё как е",
    "WER, mean of speakers": "WER, среднее по дикторам",
    "exact sentences": "точные фразы",
    "exact numbers": "точные числа",
    "CER of digits": "CER цифр",
    "balanced accuracy": "сбалансированная точность",
    "accuracy of women": "точность, женщины",
    "accuracy of men": "точность, мужчины",
    "word error rate: words substituted, deleted and inserted, as a share of the words of the "
    "references": "доля ошибок в словах: заменённые, пропущенные и вставленные слова к числу слов "
    "эталонов",
    "the WER where every ё is written as е and there are no stress marks": (
        "WER, если везде писать е вместо ё и без ударений"
    ),
    "the WER of each speaker, averaged over speakers: whoever speaks much counts no more than "
    "others": "WER каждого диктора, усреднённый по дикторам: кто говорит много, весит не больше "
    "других",
    "word errors without insertions: words substituted and deleted, as a share of the words of the "
    "references": "ошибки в словах без вставок: заменённые и пропущенные слова к числу слов "
    "эталонов",
    "character error rate, blanks between words included": (
        "доля ошибок в символах, пробелы между словами тоже считаются"
    ),
    "phone error rate: phones substituted, deleted and inserted, as a share of the phones of "
    "the references": "доля ошибок в фонемах: заменённые, пропущенные и вставленные фонемы к числу "
    "фонем эталонов",
    "phone errors without insertions, as a share of the phones of the references": (
        "ошибки в фонемах без вставок к числу фонем эталонов"
    ),
    "utterances without a single error": "реплики без единой ошибки",
    "utterances whose number is right, however its words are spelt": (
        "реплики, где верно число, как бы ни были написаны его слова"
    ),
    "character error rate of the numbers written in digits": (
        "доля ошибок в символах чисел, записанных цифрами"
    ),
    "the share that was recognised of each label, averaged over labels": (
        "доля узнанного по каждой метке, усреднённая по меткам"
    ),
    "women that were recognised as such": "женщины, которых модель узнала как женщин",
    "men that were recognised as such": "мужчины, которых модель узнала как мужчин",
}
