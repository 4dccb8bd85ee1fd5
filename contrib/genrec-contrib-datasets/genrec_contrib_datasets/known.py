"""Known data sets: where their files are, who may use them, and how `genrec data import` reads them.

A data set is nothing but files and arguments: what `genrec data get ml-1m` runs after the download is
printed, and can be typed by hand on files that one has already.

    >>> find("ml-1m").arguments[:3]
    ('{folder}/ratings.dat', '--delimiter', '::')
    >>> find("amazon-2014-sports").title            # the beginning of a category is enough where it is unique
    'Amazon reviews 2014, Sports and Outdoors, 5-core'

Addresses and licences are those their publishers name; publishers move files now and then, so `--mirror`
and `--from` take others. A checksum is given where the publisher gives one. Of other files the digest of the
first download is kept, and a later download that differs is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from genrec_core import DataError

_GROUPLENS = "https://files.grouplens.org/datasets/movielens"
_AMAZON_2014 = "https://snap.stanford.edu/data/amazon/productGraph/categoryFiles"
_UCSD = "https://mcauleylab.ucsd.edu/public_datasets/data"

_MOVIELENS = "for research; no redistribution and no commercial use without permission"
_AMAZON = "for research; products' texts belong to their owners"

_IN_2014 = (
    "Amazon_Instant_Video Apps_for_Android Automotive Baby Beauty Books CDs_and_Vinyl "
    "Cell_Phones_and_Accessories Clothing_Shoes_and_Jewelry Digital_Music Electronics "
    "Grocery_and_Gourmet_Food Health_and_Personal_Care Home_and_Kitchen Kindle_Store Movies_and_TV "
    "Musical_Instruments Office_Products Patio_Lawn_and_Garden Pet_Supplies Sports_and_Outdoors "
    "Tools_and_Home_Improvement Toys_and_Games Video_Games"
)
_IN_2018 = (
    "All_Beauty AMAZON_FASHION Appliances Arts_Crafts_and_Sewing Automotive Books CDs_and_Vinyl "
    "Cell_Phones_and_Accessories Clothing_Shoes_and_Jewelry Digital_Music Electronics Gift_Cards "
    "Grocery_and_Gourmet_Food Home_and_Kitchen Industrial_and_Scientific Kindle_Store Luxury_Beauty "
    "Magazine_Subscriptions Movies_and_TV Musical_Instruments Office_Products Patio_Lawn_and_Garden "
    "Pet_Supplies Prime_Pantry Software Sports_and_Outdoors Tools_and_Home_Improvement Toys_and_Games "
    "Video_Games"
)
_IN_2023 = (
    "All_Beauty Amazon_Fashion Appliances Arts_Crafts_and_Sewing Automotive Baby_Products "
    "Beauty_and_Personal_Care Books CDs_and_Vinyl Cell_Phones_and_Accessories Clothing_Shoes_and_Jewelry "
    "Digital_Music Electronics Gift_Cards Grocery_and_Gourmet_Food Handmade_Products Health_and_Household "
    "Health_and_Personal_Care Home_and_Kitchen Industrial_and_Scientific Kindle_Store "
    "Magazine_Subscriptions Movies_and_TV Musical_Instruments Office_Products Patio_Lawn_and_Garden "
    "Pet_Supplies Software Sports_and_Outdoors Subscription_Boxes Tools_and_Home_Improvement "
    "Toys_and_Games Video_Games"
)


@dataclass(frozen=True)
class RemoteFile:
    """One file of a data set.

    Attributes:
        name: as it is called on disk.
        address: where it is; empty for a file that one has to ask its owner for.
        digest: `md5:…` or `sha256:…` as published, empty where nothing is.
        members: files inside an archive that are unpacked beside it.
    """

    name: str
    address: str = ""
    digest: str = ""
    members: tuple[str, ...] = ()


@dataclass(frozen=True)
class KnownData:
    """One data set.

    Attributes:
        name: what is typed.
        title: what it is.
        licence: who may use it, in short; `page` has the whole.
        page: where its publisher describes it.
        files: what is downloaded.
        arguments: of `genrec data import`; `{folder}` is where the files are.
    """

    name: str
    title: str
    licence: str
    page: str
    files: tuple[RemoteFile, ...]
    arguments: tuple[str, ...]


def find(name: str) -> KnownData:
    """A data set by its name; a category may be cut short where its beginning is unique.

    Raises:
        DataError: there is none of that name, or several.
    """
    every = {one.name: one for one in known()}
    begun = [name] if name in every else [full for full in every if full.startswith(name)]
    if len(begun) == 1:
        return every[begun[0]]
    hint = "`genrec data get --list` prints all of them"
    if not begun:
        raise DataError(f"no data set is called `{name}`", hint=hint)
    shown = ", ".join(begun[:5]) + (" …" if len(begun) > 5 else "")
    raise DataError(f"`{name}` begins {len(begun)} names: {shown}", hint=hint)


def known() -> Iterator[KnownData]:
    """Every data set, in the order in which they are listed."""
    yield from (_ML_100K, _ML_1M)
    yield from map(_amazon_2014, _IN_2014.split())
    yield from map(_amazon_2018, _IN_2018.split())
    yield from map(_amazon_2023, _IN_2023.split())
    yield from (_STEAM, _YELP)


_GENRES = (
    "unknown,Action,Adventure,Animation,Children's,Comedy,Crime,Documentary,Drama,Fantasy,Film-Noir,Horror,"
    "Musical,Mystery,Romance,Sci-Fi,Thriller,War,Western"
)

_ML_100K = KnownData(
    "ml-100k",
    "MovieLens 100K: 943 people, 1,682 films, with age, gender and occupation",
    _MOVIELENS,
    "https://grouplens.org/datasets/movielens/100k/",
    (
        RemoteFile(
            "ml-100k.zip",
            f"{_GROUPLENS}/ml-100k.zip",
            "md5:0e33842e24a9c977be4e0107933c0723",
            ("ml-100k/u.data", "ml-100k/u.item", "ml-100k/u.user"),
        ),
    ),
    (
        *("{folder}/u.data", "--delimiter", "\\t", "--columns", "user_id,item_id,rating,timestamp"),
        *("--items", "{folder}/u.item", "--item-delimiter", "|"),
        *("--item-columns", f"item_id,name,released,video,link,{_GENRES}"),
        *("--item-field", "title=name", "--item-field", "released=released"),
        *("--flags-field", f"genres={_GENRES}", "--encoding", "latin-1"),
        *("--users", "{folder}/u.user", "--user-columns", "user_id,age,gender,occupation,zip"),
        *(
            "--user-field",
            "age=age",
            "--user-field",
            "gender=gender",
            "--user-field",
            "occupation=occupation",
        ),
        *("--missing-words", "keep"),
    ),
)

_ML_1M = KnownData(
    "ml-1m",
    "MovieLens 1M: 6,040 people, 3,883 films, with age group, gender and occupation",
    _MOVIELENS,
    "https://grouplens.org/datasets/movielens/1m/",
    (
        RemoteFile(
            "ml-1m.zip",
            f"{_GROUPLENS}/ml-1m.zip",
            "md5:c4d9eecfca2ab87c1945afe126590906",
            ("ml-1m/ratings.dat", "ml-1m/movies.dat", "ml-1m/users.dat"),
        ),
    ),
    (
        *("{folder}/ratings.dat", "--delimiter", "::", "--columns", "user_id,item_id,rating,timestamp"),
        *("--items", "{folder}/movies.dat", "--item-columns", "item_id,title,genres"),
        *("--item-field", "title=title", "--item-field", "genres=genres", "--split-field", "genres=|"),
        *("--users", "{folder}/users.dat", "--user-columns", "user_id,gender,age,occupation,zip"),
        *(
            "--user-field",
            "gender=gender",
            "--user-field",
            "age=age",
            "--user-field",
            "occupation=occupation",
        ),
        *("--encoding", "latin-1", "--missing-words", "keep"),
    ),
)

_REVIEWS = ("--user-column", "reviewerID", "--item-column", "asin", "--time-column", "unixReviewTime")
_PRODUCTS = ("--duplicate-items", "first", "--unknown-items", "drop", "--allow-empty-text", "--unescape-html")
_LENIENT = ("--missing-words", "empty", "--k-core", "5")


def _amazon_2014(category: str) -> KnownData:
    reviews, products = f"reviews_{category}_5.json.gz", f"meta_{category}.json.gz"
    return KnownData(
        f"amazon-2014-{_slug(category)}",
        f"Amazon reviews 2014, {category.replace('_', ' ')}, 5-core",
        _AMAZON,
        "https://jmcauley.ucsd.edu/data/amazon/links.html",
        tuple(RemoteFile(name, f"{_AMAZON_2014}/{name}") for name in (reviews, products)),
        (
            f"{{folder}}/{reviews}",
            *_REVIEWS,
            *("--items", f"{{folder}}/{products}", "--item-id-column", "asin"),
            *_fields(title="title", brand="brand", categories="categories", description="description"),
            *_PRODUCTS,
            *_LENIENT,
        ),
    )


def _amazon_2018(category: str) -> KnownData:
    reviews, products = f"{category}_5.json.gz", f"meta_{category}.json.gz"
    base = f"{_UCSD}/amazon_v2"
    return KnownData(
        f"amazon-2018-{_slug(category)}",
        f"Amazon reviews 2018, {category.replace('_', ' ')}, 5-core",
        _AMAZON,
        "https://nijianmo.github.io/amazon/index.html",
        (
            RemoteFile(reviews, f"{base}/categoryFilesSmall/{reviews}"),
            RemoteFile(products, f"{base}/metaFiles2/{products}"),
        ),
        (
            f"{{folder}}/{reviews}",
            *_REVIEWS,
            *("--items", f"{{folder}}/{products}", "--item-id-column", "asin"),
            *_fields(title="title", brand="brand", categories="category", description="description"),
            *_PRODUCTS,
            *_LENIENT,
        ),
    )


def _amazon_2023(category: str) -> KnownData:
    reviews, products = f"{category}.jsonl.gz", f"meta_{category}.jsonl.gz"
    base = f"{_UCSD}/amazon_2023/raw"
    return KnownData(
        f"amazon-2023-{_slug(category)}",
        f"Amazon reviews 2023, {category.replace('_', ' ')}, cut to its 5-core here",
        _AMAZON,
        "https://amazon-reviews-2023.github.io/",
        (
            RemoteFile(reviews, f"{base}/review_categories/{reviews}"),
            RemoteFile(products, f"{base}/meta_categories/{products}"),
        ),
        (
            f"{{folder}}/{reviews}",
            *("--user-column", "user_id", "--item-column", "parent_asin", "--time-column", "timestamp"),
            *("--time-format", "milliseconds", "--dedupe", "keep-first"),
            *("--items", f"{{folder}}/{products}", "--item-id-column", "parent_asin"),
            *_fields(title="title", brand="store", categories="categories", description="description"),
            *_PRODUCTS,
            *_LENIENT,
        ),
    )


def _fields(**columns: str) -> tuple[str, ...]:
    return tuple(part for name, column in columns.items() for part in ("--item-field", f"{name}={column}"))


def _slug(category: str) -> str:
    return category.lower().replace("_", "-")


_STEAM = KnownData(
    "steam",
    "Steam: reviews of games, cut to their 5-core here",
    "for research; names no licence",
    "https://cseweb.ucsd.edu/~jmcauley/datasets.html#steam_data",
    (
        RemoteFile("steam_reviews.json.gz", f"{_UCSD}/steam/steam_reviews.json.gz"),
        RemoteFile("steam_games.json.gz", f"{_UCSD}/steam/steam_games.json.gz"),
    ),
    (
        *("{folder}/steam_reviews.json.gz", "--user-column", "username", "--item-column", "product_id"),
        *("--time-column", "date", "--time-format", "iso", "--dedupe", "keep-first"),
        *("--items", "{folder}/steam_games.json.gz", "--item-id-column", "id"),
        *_fields(title="app_name", developer="developer", genres="genres", tags="tags"),
        *_PRODUCTS,
        *_LENIENT,
    ),
)

_YELP = KnownData(
    "yelp",
    "Yelp Open Dataset: reviews of businesses, cut to their 5-core here",
    "asks for an agreement on its page; so it is not downloaded here: give the files with --from",
    "https://www.yelp.com/dataset",
    (RemoteFile("yelp_academic_dataset_review.json"), RemoteFile("yelp_academic_dataset_business.json")),
    (
        *("{folder}/yelp_academic_dataset_review.json", "--user-column", "user_id"),
        *("--item-column", "business_id", "--time-column", "date", "--time-format", "%Y-%m-%d %H:%M:%S"),
        *("--items", "{folder}/yelp_academic_dataset_business.json", "--item-id-column", "business_id"),
        *_fields(title="name", categories="categories", city="city"),
        *("--split-field", "categories=,", *_PRODUCTS, *_LENIENT),
    ),
)
